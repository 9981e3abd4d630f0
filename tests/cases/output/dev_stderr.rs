//! A program that drops to another user and then opens /dev/stdout and /dev/stderr, where these are pipes of ours.

use harness::{Cluster, Options, PATIENCE, app, require};

/// Runs the test program as another user, after a line to each of the files; `None`, and said, where that is not to be had.
fn command() -> Option<Vec<String>> {
    let server = app("c-epoll")?.default_command()[0].display().to_string();
    // SAFETY: no memory is involved.
    if unsafe { libc::geteuid() } != 0 || !require("setpriv") {
        eprintln!("skipped: only root can start a program that becomes another user, and with setpriv");
        return None;
    }
    let script = format!("echo err opened >>/dev/stderr; echo out opened >/dev/stdout; exec {server}");
    let words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "sh", "-c", &script];
    Some(words.map(str::to_owned).to_vec())
}

#[test]
fn opens_in_a_reload() {
    let Some(command) = command() else { return };
    // Its streams are inherited; the stderr of a new version alone is read.
    let cluster = Cluster::start_command(
        &command,
        Options::workers(1).flags("--min-healthy-time 50ms --idle-grace 50ms"),
    );
    assert_eq!(cluster.log().count("err opened"), 0, "the test's own pipe is root's");
    cluster.order("reload --wait");
    cluster.log().wait_for_count("err opened", 1, PATIENCE);
    cluster.stop();
}

#[test]
fn opens_where_output_is_captured() {
    let Some(command) = command() else { return };
    let cluster = Cluster::start_command(&command, Options::workers(1).flags("--capture"));
    cluster.log().wait_for("err opened");
    cluster.stdout().wait_for("out opened");
    cluster.stop();
}
