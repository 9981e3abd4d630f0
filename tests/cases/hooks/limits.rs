//! Hooks that do what they should not: they never end, do not listen, flood, leave daemons behind, cannot be run. Nothing of it harms the
//! cluster, and nothing is left.

use super::{Scripts, on};
use harness::{Cluster, Load, Options, PATIENCE, app, is_alive, open, signal, wait_for, wait_until};
use std::fs;

/// A cluster of one worker, with this command on each of its ends.
fn start(flags: &str, command: &str) -> Option<Cluster> {
    let options = Options::workers(1).flags(flags).flags("--min-uptime 0");
    Some(Cluster::start(&app("c-epoll")?, on(options, "worker_exit", command)))
}

/// Kills the worker, and waits for the next one.
fn kill(cluster: &mut Cluster) {
    let ready = cluster.ready_count();
    signal(*cluster.started().last_key_value().expect("it has a worker").1, libc::SIGKILL);
    cluster.wait_ready(ready + 1);
}

#[test]
fn one_that_never_ends_is_killed_with_its_group() {
    let scripts = Scripts::new();
    // Deaf, and so is what it has started, which holds its output too.
    let text = "trap '' TERM\n(trap '' TERM; while :; do sleep 0.05; done) &\n\
                echo $$ $! >> \"$1/pids\"\nwhile :; do sleep 0.05; done\n";
    let Some(mut cluster) = start("--hook-timeout 200ms", &scripts.command("deaf", text)) else { return };
    kill(&mut cluster);
    cluster.log().wait_for("had not ended after 200ms, and was killed");
    let pids = scripts.text("pids");
    let pids: Vec<u32> = pids.split_whitespace().map(|pid| pid.parse().expect("a number")).collect();
    assert_eq!(pids.len(), 2);
    wait_until("both are gone", PATIENCE, || !pids.iter().any(|pid| is_alive(*pid)));
    let status = cluster.order("status");
    assert!(status.contains("hooks: 0 ended well, 1 failed; the last failure, "), "{status}");
    cluster.stop();
}

#[test]
fn a_daemon_that_keeps_the_output_is_not_waited_for() {
    let scripts = Scripts::new();
    let text = "setsid sh -c 'echo $$ > \"$0/daemon\"; while :; do sleep 0.05; done' \"$1\" &\n\
                while [ ! -s \"$1/daemon\" ]; do sleep 0.01; done\n";
    let Some(mut cluster) = start("-v", &scripts.command("daemon.sh", text)) else { return };
    kill(&mut cluster);
    cluster.log().wait_for("has ended well after ");
    let daemon: u32 = scripts.text("daemon").trim().parse().expect("a number");
    wait_until("the daemon is gone", PATIENCE, || !is_alive(daemon));
    cluster.stop();
}

#[test]
fn a_flood_is_bounded() {
    let scripts = Scripts::new();
    let text = "echo $$ > \"$1/flood\"\nexec yes flooding\n";
    let Some(mut cluster) = start("--hook-timeout 2s", &scripts.command("flood.sh", text)) else { return };
    let app = app("c-epoll").expect("it runs");
    kill(&mut cluster);
    wait_until("it floods", PATIENCE, || !scripts.text("flood").is_empty());
    let load = Load::start(&cluster.target(), 2, "/");
    cluster.log().wait_for("more lines were left out)");
    load.finish_unharmed();
    let lines = cluster.log().count("hook worker_exit: flooding");
    assert_eq!(lines, 200);
    open(&cluster.target(), &app).who().expect("an answer");
    cluster.stop();
}

#[test]
fn what_is_not_read_blocks_nobody() {
    let scripts = Scripts::new();
    let Some(mut cluster) = start("-v", &scripts.command("deaf.sh", "exec true\n")) else { return };
    kill(&mut cluster);
    cluster.log().wait_for("has ended well after ");
    cluster.stop();
}

#[test]
fn one_that_cannot_be_run_any_more_is_a_line_of_the_log() {
    let scripts = Scripts::new();
    let path = scripts.at("gone");
    fs::copy("/bin/true", &path).expect("the folder is ours");
    let Some(mut cluster) = start("-v", &path.display().to_string()) else { return };
    fs::remove_file(&path).expect("it is there");
    kill(&mut cluster);
    cluster.log().wait_for("could not be started: ");
    kill(&mut cluster);
    cluster.log().wait_for_count("could not be started: ", 2, PATIENCE);
    cluster.stop();
}

#[test]
fn a_full_queue_is_counted() {
    let scripts = Scripts::new();
    let text = "while [ ! -e \"$1/go\" ]; do sleep 0.01; done\necho >> \"$1/runs\"\n";
    let command = scripts.command("slow.sh", text);
    let options =
        Options::workers(8).flags("--respawn -1 --restart-delay 1ms --max-restart-delay 10ms --keep-trying");
    let options = on(options.at_once(), "worker_exit", &command);
    let cluster = Cluster::start_command(&["sh", "-c", "exit 1"], options);
    cluster.log().wait_for(" started, pid ");
    let dropped = || cluster.inspect()["hooks"]["dropped"].as_u64().filter(|dropped| *dropped > 0);
    wait_for("more came than may wait", PATIENCE, dropped);
    assert_eq!(cluster.inspect()["hooks"]["under_way"], 64);
    assert!(cluster.order("status").contains(" dropped as too many waited"));
    assert!(cluster.log().count("runs of its command wait already") >= 1);
    fs::write(scripts.at("go"), "").expect("the folder is ours");
    wait_until("they are run", PATIENCE, || scripts.text("runs").len() >= 64);
    cluster.stop();
}

#[test]
fn those_that_hang_end_with_the_cluster() {
    let Some(app) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    let hang = scripts.command("hang.sh", "trap '' TERM\ntouch \"$1/hangs\"\nwhile :; do sleep 0.05; done\n");
    let options = Options::workers(1).flags("--shutdown-timeout 1s --stop-timeout 1s");
    let options = on(on(options, "start", &hang), "stop", &scripts.noting("stop"));
    let cluster = Cluster::start(&app, on(options, "stop", &hang));
    wait_until("it hangs", PATIENCE, || scripts.at("hangs").exists());
    cluster.stop();
    assert_eq!(scripts.told("stop").len(), 1, "one that hangs holds up no other");
}
