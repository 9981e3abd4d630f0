//! Helpers that have left their worker's process group end with their worker, however that ends, and others' do not.

use harness::{Cluster, Options, PATIENCE, Pid, app, is_alive, require, signal, wait_for, wait_until};
use std::fs;

/// Starts a worker's helper in its own way before the worker becomes the test program.
struct Helper {
    tool: &'static str,
    script: &'static str,
}

/// `$$` of each is written to a file named after the worker. Those of `timeout` are its children, in a group of its own.
const HELPERS: [Helper; 4] = [
    Helper { tool: "setsid", script: "setsid sh -c 'echo $$ >>$FILE; exec sleep 1000' &" },
    Helper { tool: "timeout", script: "timeout 2000 sh -c 'echo $$ >>$FILE; exec sleep 1000' &" },
    Helper { tool: "setsid", script: "env -i FILE=$FILE setsid sh -c 'echo $$ >>$FILE; exec sleep 1000' &" },
    // It ignores the signal that asks it to end, and so does what it has started.
    Helper {
        tool: "setsid",
        script: "setsid sh -c 'trap \"\" TERM; echo $$ >>$FILE; sh -c \"echo \\$\\$ >>$FILE; exec sleep 1000\"; :' &",
    },
];

impl Helper {
    /// Two workers, each with a helper; `None`, and said, where a tool is missing.
    fn start(&self) -> Option<Cluster> {
        let program = app("c-epoll")?.default_command()[0].display().to_string();
        if !require(self.tool) {
            return None;
        }
        let script = format!("export FILE=$PWD/helpers.$PROCESS_LOGICAL_ID; {} exec {program}", self.script);
        let flags = "--min-uptime 1ms --restart-delay 1ms --min-healthy-time 50ms --idle-grace 50ms";
        Some(Cluster::start_command(&["sh", "-c", &script], Options::workers(2).flags(flags)))
    }
}

/// The helpers that this worker has started so far, once there are so many.
#[track_caller]
fn helpers(cluster: &Cluster, id: &str, least: usize) -> Vec<Pid> {
    let file = cluster.temp().path().join(format!("helpers.{id}"));
    wait_for("the helpers run", PATIENCE, || {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let pids: Vec<Pid> = text.lines().filter_map(|line| line.parse().ok()).collect();
        (pids.len() >= least && text.ends_with('\n')).then_some(pids)
    })
}

#[track_caller]
fn wait_gone(pids: &[Pid]) {
    wait_until("the helpers have ended", PATIENCE, || !pids.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn end_with_a_restart_and_with_the_cluster() {
    for helper in HELPERS {
        let Some(mut cluster) = helper.start() else { return };
        let each = if helper.script.contains("trap") { 2 } else { 1 };
        let (first, other) = (helpers(&cluster, "0", each), helpers(&cluster, "1", each));
        cluster.order("restart /0 --wait");
        cluster.wait_ready(3);
        wait_gone(&first);
        assert!(other.iter().all(|pid| is_alive(*pid)), "{}: worker 1 lives", helper.script);
        let next = helpers(&cluster, "0", 2 * each).split_off(each);
        assert!(next.iter().all(|pid| is_alive(*pid)), "{}: the new worker 0 lives", helper.script);
        cluster.stop();
        // Those without the variables are not found by them.
        assert!(!next.iter().chain(&other).any(|pid| is_alive(*pid)), "{}", helper.script);
    }
}

#[test]
fn end_with_a_reload() {
    let Some(cluster) = HELPERS[0].start() else { return };
    let first = [helpers(&cluster, "0", 1), helpers(&cluster, "1", 1)].concat();
    cluster.order("reload --wait");
    wait_gone(&first);
    cluster.stop();
}

/// Nobody has seen this one below its worker: it is known by what is in its environment.
#[test]
fn end_with_a_worker_that_is_killed() {
    for helper in &HELPERS[..2] {
        let Some(mut cluster) = helper.start() else { return };
        let (first, other) = (helpers(&cluster, "0", 1), helpers(&cluster, "1", 1));
        signal(cluster.started()["0"], libc::SIGKILL);
        cluster.wait_ready(3);
        wait_gone(&first);
        assert!(is_alive(other[0]));
        cluster.stop();
    }
}
