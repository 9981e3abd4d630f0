//! What a person sees of a cluster in every state.

use super::*;

const NOW: u64 = 1_700_000_000_000;

fn worker(id: &str, state: WorkerState) -> Worker {
    let live = state != WorkerState::Standby;
    Worker {
        id: id.to_owned(),
        state,
        pid: live.then_some(4712),
        members: Vec::new(),
        started_at: live.then_some(NOW - 3_725_000),
        starting_at: None,
        reason: None,
        stop_requested_at: None,
        force_stop_at: None,
        forced_stop: false,
        is_debugging: false,
        draining: None,
        beside: Vec::new(),
        cordoned: false,
        restarts: 3,
        last_exit: None,
        last_cause: None,
        out_of_rotation: None,
        connections: 1234,
        one_by_one: false,
        direct: false,
        lag_ms: None,
        health: None,
        pss: None,
        open_connections: None,
        suspended: None,
        status_text: None,
    }
}

pub(crate) fn inspection() -> Inspection {
    let waiting = Worker {
        last_exit: Some("code 3, up 12ms".to_owned()),
        reason: Some("backing off".to_owned()),
        starting_at: Some(NOW + 2_500),
        ..worker("1", WorkerState::Standby)
    };
    let stopping = Worker { force_stop_at: Some(NOW + 8_000), ..worker("blue", WorkerState::Stopping) };
    Inspection {
        name: "web".to_owned(),
        state: ClusterState::Running,
        pid: 4711,
        started_at: Some(NOW - 90_000_000),
        workers: vec![worker("0", WorkerState::Running), waiting, stopping],
        load_balancers: vec![Balancer {
            state: BalancerState::Running,
            address: "127.0.0.1:8080".to_owned(),
            backlog: 4096,
            queued: 2,
            policy: "round-robin".to_owned(),
            connections: 3702,
            late: 0,
            dispatch: "handoff".to_owned(),
            dispatch_reason: None,
            rotation: vec!["0".to_owned()],
        }],
        launch: Box::new(crate::api::Launch {
            command: vec!["node".to_owned(), "server.js".to_owned()],
            directory: Some("/srv/web".to_owned()),
            log: None,
            intercept: None,
            intercept_reason: None,
        }),
        rollout: None,
        last_reload: None,
        hooks: None,
    }
}

#[test]
fn a_reload_is_told_while_it_goes_on_and_if_it_failed() {
    let (purpose, cause) = ("reload".to_owned(), "reload failed: code 3; the old processes go on".to_owned());
    let rollout =
        |draining| Some(Rollout { purpose: purpose.clone(), done: 1, under_way: 0, waiting: 1, draining });
    let told = |inspection: &Inspection| table(inspection, true, NOW, false);
    let under_way = Inspection { rollout: rollout(0), ..inspection() };
    assert!(
        told(&under_way).contains("\nreload: 1 done, 0 under way, 1 waiting\nID"),
        "{}",
        told(&under_way)
    );
    let draining = Inspection { rollout: rollout(1), ..inspection() };
    assert!(told(&draining).contains("\nreload: 1 done, 0 under way, 1 waiting; old processes drain\nID"));
    let last = |outcome: &str| {
        Some(LastReload { ended_at: NOW - 90_000, outcome: outcome.to_owned(), cause: Some(cause.clone()) })
    };
    let failed = Inspection { last_reload: last("failed"), ..inspection() };
    assert!(
        told(&failed)
            .contains("\nlast reload, 1m30s ago: reload failed: code 3; the old processes go on\nID"),
        "{}",
        told(&failed)
    );
    let done = Inspection { last_reload: last("done"), ..inspection() };
    assert_eq!(told(&done), told(&inspection()), "a good one needs no word");
}

#[test]
fn a_table() {
    let expected = "\
web: running, pid 4711, up 1d01h, 1 of 3 workers running
command: node server.js
directory: /srv/web
ID    STATE      PID  UPTIME  RESTARTS  CONNECTIONS  LAST EXIT
0     running   4712   1h02m         3         1234  -
1     standby      -       -         3         1234  code 3, up 12ms; backing off; starts in 2.5s
blue  stopping  4712   1h02m         3         1234  will be killed in 8.0s

ADDRESS         STATE    DISPATCH  POLICY       QUEUED  CONNECTIONS
127.0.0.1:8080  running  handoff   round-robin       2         3702
";
    assert_eq!(table(&inspection(), true, NOW, false), expected);
    let coloured = table(&inspection(), true, NOW, true);
    for part in ["\x1b[32mrunning\x1b[0m", "\x1b[31mstandby\x1b[0m", "\x1b[33mstopping\x1b[0m"] {
        assert!(coloured.contains(part), "{coloured:?}");
    }
}

#[test]
fn one_worker_and_open_connections() {
    let mut inspection = inspection();
    inspection.workers.truncate(1);
    inspection.workers[0].open_connections = Some(5);
    inspection.workers[0].cordoned = true;
    let expected = "\
ID  STATE     PID  UPTIME  RESTARTS  CONNECTIONS  OPEN  LAST EXIT
0   running  4712   1h02m         3         1234     5  cordoned
";
    assert_eq!(table(&inspection, false, NOW, false), expected);
}

#[test]
fn memory_that_was_measured() {
    let mut inspection = inspection();
    inspection.workers.truncate(2);
    inspection.workers[0].pss = Some(123 << 20);
    let expected = "\
ID  STATE     PID  UPTIME  RESTARTS  CONNECTIONS      PSS  LAST EXIT
0   running  4712   1h02m         3         1234  123 MiB  -
1   standby     -       -         3         1234        -  code 3, up 12ms; backing off; starts in 2.5s
";
    assert_eq!(table(&inspection, false, NOW, false), expected);
}

#[test]
fn what_a_pulse_has_found() {
    let mut inspection = inspection();
    inspection.workers.truncate(2);
    let health = crate::api::Health { cpu_permille: 135, rss: 57 << 20, ..Default::default() };
    inspection.workers[0].health = Some(health);
    inspection.workers[1].health = Some(health);
    let expected = "\
ID  STATE     PID  UPTIME  RESTARTS  CONNECTIONS    CPU  MEMORY  LAST EXIT
0   running  4712   1h02m         3         1234  13.5%  57 MiB  -
1   standby     -       -         3         1234      -       -  code 3, up 12ms; backing off; starts in 2.5s
";
    assert_eq!(table(&inspection, false, NOW, false), expected);
}

#[test]
fn as_wanted_is_all_running() {
    let mut inspection = inspection();
    assert!(!is_as_wanted(&inspection));
    inspection.workers.truncate(1);
    assert!(is_as_wanted(&inspection));
    for (kind, as_wanted) in [(CauseKind::Lag, false), (CauseKind::Stuck, false), (CauseKind::Cordoned, true)]
    {
        inspection.workers[0].out_of_rotation = Some(crate::api::Cause::new(kind, "why"));
        assert_eq!(is_as_wanted(&inspection), as_wanted, "{kind:?}");
    }
    inspection.workers[0].out_of_rotation = None;
    inspection.state = ClusterState::Stopping;
    assert!(!is_as_wanted(&inspection));
}
