//! The columns of the matrix, one function each. Every one of them fails loudly; none of them is a matter of luck: what
//! takes time is waited for.

use super::client::{Answer, Client};
use super::load::Load;
use super::table::{Processes, Refused, Row, Speaks};
use super::{Found, place};
use crate::clients::http::Target;
use crate::clusters::cluster::Cluster;
use crate::programs::options::Options;
use crate::programs::places::clustermon;
use crate::started::native::Native;
use crate::system::process::Pid;
use crate::system::temp::TempDir;
use crate::system::wait::{PATIENCE, wait_for, wait_until};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::thread;
use std::time::Instant;

const WORKERS: usize = 2;
/// So long a worker is left alone before it is asked whether it is idle.
const IDLE: u128 = 400;
/// A worker that is idle or busy has not looked for work for less or more than this, in milliseconds.
const LAG: u64 = 200;

/// All columns.
#[track_caller]
pub(super) fn run(row: &Row, found: &mut Found) {
    // Other tests need the processors too: nobody is to be judged for that here.
    let mut options = Options::workers(WORKERS).flags("--lag-limit 10s --min-healthy-time 200ms");
    if row.filtered {
        // The shell that starts it does not show that it needs this.
        options = options.flags("--intercept seccomp");
    }
    let cluster = Cluster::start_command(&place::command(row), place::with_variables(options));
    let target = cluster.target();
    found.note("serves", serves(row, &cluster, &target));
    found.note("keep-alive", keep_alive(row, &target));
    if row.filtered {
        let exact = cluster.inspect()["load_balancers"][0]["dispatch"] == "kernel:program";
        let spread = if exact { rotation(row, &cluster, &target) } else { "at random".to_owned() };
        found.note("rotation", spread);
        found.note("lag", "no: it has no library");
    } else {
        found.note("rotation", rotation(row, &cluster, &target));
        found.note("lag", lag(row, &cluster, &target));
    }
    found.note("restart", restart(row, &cluster, &target));
    let mut failed = reload(row, &cluster, &target);
    if row.reloads_itself {
        failed += &format!("; by its own: {}", reloads_itself(row, &cluster, &target));
    }
    found.note("reload", failed);
    cluster.stop();
}

/// It is refused before anything is started, in one line, which is returned.
#[track_caller]
pub(super) fn is_refused(row: &Row, refused: &Refused) -> String {
    let folder = TempDir::new();
    place::prepare(row, folder.path());
    let program = folder.path().join("program");
    // Were it not refused it would serve: then the waiting for its end fails.
    let command = [clustermon().into_os_string(), "run".into(), "--".into(), program.clone().into()];
    let (status, said) = Native::run(command.into(), &Options::default());
    assert!(status.code() == Some(2) && said.lines().count() == 1, "{status}: {said}");
    let told = said.trim_end().replace(&format!("{program:?}"), "PROGRAM");
    assert!(told.contains(refused.says), "{told}");
    told
}

/// Who answers a connection of its own.
#[track_caller]
fn ask(row: &Row, target: &Target) -> Answer {
    let client = Client::open(target, row.speaks).expect("it listens");
    client.ask_last().unwrap_or_else(|error| panic!("no answer: {error}"))
}

/// The worker that the process belongs to: its own first process, or an ancestor, is the worker's.
fn worker_of(cluster: &Cluster, answer: &Answer) -> String {
    let started = cluster.started();
    let mut pid = answer.pid;
    let id = loop {
        if let Some((id, _)) = started.iter().find(|(_, first)| **first == pid) {
            break id.clone();
        }
        pid = parent(pid).unwrap_or_else(|| panic!("process {} is no worker's", answer.pid));
    };
    assert!(answer.id.as_ref().is_none_or(|told| *told == id), "{answer:?} is of worker {id}");
    id
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
    (parent > 1).then_some(parent)
}

/// Every worker answers, and where two processes of each accept, each of these.
fn serves(row: &Row, cluster: &Cluster, target: &Target) -> String {
    let mut processes: BTreeMap<String, BTreeSet<Pid>> = BTreeMap::new();
    let wanted = if row.processes == Processes::Two { 2 } else { 1 };
    // An idle process is woken by chance: two that ask at once reach both sooner or later.
    wait_until(&format!("{wanted} processes of each of {WORKERS} workers answer"), PATIENCE, || {
        let asking: Vec<_> = (0..wanted * WORKERS)
            .map(|_| {
                let (target, speaks) = (target.clone(), row.speaks);
                thread::spawn(move || Client::open(&target, speaks)?.ask_last())
            })
            .collect();
        for asking in asking {
            let answer = asking.join().expect("it never panics").expect("an answer");
            processes.entry(worker_of(cluster, &answer)).or_default().insert(answer.pid);
        }
        processes.len() == WORKERS && processes.values().all(|pids| pids.len() >= wanted)
    });
    if wanted == 1 {
        assert!(processes.values().all(|pids| pids.len() == 1), "{processes:?}");
    }
    "yes".to_owned()
}

fn keep_alive(row: &Row, target: &Target) -> String {
    let mut client = Client::open(target, row.speaks).expect("it listens");
    let first = client.ask().expect("an answer");
    if !row.keeps {
        assert!(client.at_end(), "the table says that it closes a connection after its answer");
        return "it closes by itself".to_owned();
    }
    for _ in 0..3 {
        assert_eq!(client.ask().expect("the connection is kept"), first, "a connection changed its process");
    }
    "yes".to_owned()
}

/// Connections in turn go to the workers in turn.
fn rotation(row: &Row, cluster: &Cluster, target: &Target) -> String {
    cluster.assert_even(WORKERS, || {
        let mut shares: BTreeMap<String, usize> = BTreeMap::new();
        for _ in 0..12 * WORKERS + 1 {
            *shares.entry(worker_of(cluster, &ask(row, target))).or_default() += 1;
        }
        shares
    });
    "exact".to_owned()
}

/// `inspect` tells for how long a worker has not looked for new work: not at all for an idle one, long for a busy one.
fn lag(row: &Row, cluster: &Cluster, target: &Target) -> String {
    let lag = |id: &str| cluster.inspect_worker(id)["lag_ms"].as_u64();
    // What waits unseen must not seem to be busy all the time: then it would lose its connections.
    let quiet = Instant::now();
    wait_until("the workers have been left alone for a while", PATIENCE, || {
        quiet.elapsed().as_millis() > IDLE
    });
    for id in (0..WORKERS).map(|id| id.to_string()) {
        wait_until(&format!("worker {id} is seen to be idle"), PATIENCE, || {
            lag(&id).is_some_and(|lag| lag < LAG)
        });
    }
    if let Some(cause) = row.unseen {
        return format!("no: {cause}");
    }
    if !row.spins {
        return "yes".to_owned();
    }
    wait_until("a busy worker is seen to be busy", PATIENCE, || {
        let mut client = Client::open(target, Speaks::Http).expect("it listens");
        client.request("/spin?ms=600").expect("it is written");
        let mut seen = BTreeSet::new();
        while !client.is_readable() {
            seen.extend((0..WORKERS).map(|id| id.to_string()).filter(|id| lag(id) >= Some(LAG)));
        }
        seen.contains(&worker_of(cluster, &client.answer().expect("an answer")))
    });
    "yes".to_owned()
}

/// All workers at once, by command: new processes serve.
fn restart(row: &Row, cluster: &Cluster, target: &Target) -> String {
    replaced(row, cluster, target, "restart --wait");
    "yes".to_owned()
}

/// One worker after the other, by command, while clients ask: new processes serve, and no request fails.
fn reload(row: &Row, cluster: &Cluster, target: &Target) -> String {
    let load = Load::start(row, target);
    load.wait_for_more();
    replaced(row, cluster, target, "reload --wait");
    load.finish("the reload")
}

/// After this command each worker is a new process, and answers.
fn replaced(row: &Row, cluster: &Cluster, target: &Target, command: &str) {
    let before: BTreeSet<Pid> = cluster.started().into_values().collect();
    cluster.order(command);
    // The log is read by another thread.
    wait_until("each worker has a new process", PATIENCE, || {
        let after = cluster.started();
        after.len() == WORKERS && after.values().all(|pid| !before.contains(pid))
    });
    let mut seen = BTreeSet::new();
    wait_until("each new worker answers", PATIENCE, || {
        seen.insert(worker_of(cluster, &ask(row, target)));
        seen.len() == WORKERS
    });
}

/// Its own reload, by the signal for it, while clients ask: other processes serve afterwards, and no request fails.
fn reloads_itself(row: &Row, cluster: &Cluster, target: &Target) -> String {
    let load = Load::start(row, target);
    load.wait_for_more();
    let before: BTreeSet<Pid> = (0..8).map(|_| ask(row, target).pid).collect();
    cluster.order("hang-up");
    let mut fresh = BTreeSet::new();
    wait_for("only new processes of every worker serve", PATIENCE, || {
        let answer = ask(row, target);
        if before.contains(&answer.pid) {
            fresh.clear();
        } else {
            fresh.insert(worker_of(cluster, &answer));
        }
        (fresh.len() == WORKERS).then_some(())
    });
    load.finish("its own reload")
}
