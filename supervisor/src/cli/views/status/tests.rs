//! What a person sees of a cluster in every state.

use super::*;
use crate::api::{Balancer, BalancerState, LastReload, Rollout};
use crate::cli::output::failed::Failed;

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
        last_stderr: Vec::new(),
        start_timeout_at: None,
        out_of_rotation: None,
        connections: 1234,
        one_by_one: false,
        direct: false,
        lag_ms: None,
        health: None,
        pss: None,
        open_connections: None,
        suspended: None,
        lines_lost: 0,
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
            app_file: None,
            log_failure: None,
            lines_lost: 0,
            intercept: None,
            intercept_reason: None,
            ..crate::api::Launch::default()
        }),
        rollout: None,
        last_reload: None,
        hooks: None,
    }
}

/// One cluster, or a worker of it.
fn table(inspection: &Inspection, whole: bool, now: u64, colours: bool) -> String {
    table::one(Shown { inspection, whole, now }, &table::head(inspection, now), colours)
}

fn seen(label: &str, state: State) -> Seen {
    let name = label.split('/').next().unwrap_or_default().to_owned();
    Seen { label: label.to_owned(), name, target: crate::api::Target::Cluster, state }
}

#[test]
fn several_stand_in_one_table() {
    let mut web = inspection();
    web.workers.truncate(1);
    let mut api = Inspection { name: "api".to_owned(), load_balancers: Vec::new(), ..inspection() };
    api.workers.drain(..1);
    api.workers[0].last_stderr = vec!["SyntaxError: no".to_owned()];
    api.launch.log = Some("/log".to_owned());
    api.launch.lines_lost = 7;
    api.workers.truncate(1);
    let end = LastEnd {
        ended_at: NOW - 90_000,
        ..LastEnd::now("db", 1, "its restarts are spent".to_owned(), Some(inspection()))
    };
    let all = [
        seen("web", State::Runs(Box::new(web))),
        seen("api", State::Runs(Box::new(api))),
        seen("db", State::Ended(Box::new(end))),
        seen("odd", State::Unknown(Failed::new(1, "it does not answer"))),
        seen("gone", State::Killed(Failed::new(3, "it was killed"))),
    ];
    let expected = "\
ID     STATE     PID  UPTIME  RESTARTS  CONNECTIONS  LAST EXIT
web/0  running  4712   1h02m         3         1234  -
api/1  standby     -       -         3         1234  code 3, up 12ms; backing off; starts in 2.5s
db     failed      -       -         -            -  failed, 1m30s ago: its restarts are spent
odd    unknown     -       -         -            -  it does not answer
gone   failed      -       -         -            -  it was killed

CLUSTER  ADDRESS         STATE    DISPATCH  POLICY       QUEUED  CONNECTIONS
web      127.0.0.1:8080  running  handoff   round-robin       2         3702
api: log: /log (7 lines were lost)
api: worker 1 wrote last:
api:   SyntaxError: no
";
    assert_eq!(text(&all, NOW, false), expected);
}

#[test]
fn one_that_has_failed_is_shown_as_it_was() {
    let mut last = inspection();
    last.workers.drain(..1);
    last.workers.truncate(1);
    last.workers[0].last_stderr = vec!["no such module\x1b[2J".to_owned()];
    let end = LastEnd {
        ended_at: NOW,
        ..LastEnd::now("web", 1, "no worker could be started".to_owned(), Some(last))
    };
    let one = [seen("web", State::Ended(Box::new(end)))];
    let shown = text(&one, NOW + 5_000, false);
    assert!(
        shown.starts_with("web: failed, 5.0s ago: no worker could be started\ncommand: node server.js\n"),
        "{shown}"
    );
    assert!(shown.ends_with("\nworker 1 wrote last:\n  no such module\\u{1b}[2J\n"), "{shown}");
    let end = LastEnd { ended_at: NOW, ..LastEnd::now("web", 2, "no such program".to_owned(), None) };
    let one = [seen("web", State::Ended(Box::new(end)))];
    assert_eq!(text(&one, NOW, false), "web: not started, 0ms ago: no such program\n");
    assert_eq!(one[0].code(), Some(3));
}

#[test]
fn a_start_that_takes_long_says_how_long_it_may() {
    let mut inspection = inspection();
    inspection.workers.truncate(1);
    inspection.workers[0].state = WorkerState::Starting;
    inspection.workers[0].start_timeout_at = Some(NOW + 48_000);
    let shown = table(&inspection, true, NOW, false);
    assert!(shown.contains("not ready yet, 48.0s left of its start timeout"), "{shown}");
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
