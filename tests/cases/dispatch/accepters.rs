//! What accept() promises to threads that wait in it: no connection is lost where descriptors are few, and none of them fails
//! because the supervisor is gone or was stopped for a while.

use harness::{
    Cluster, Listen, Load, Options, PATIENCE, c_program, get, pause, require, resume, signal, wait_until,
};
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

fn command(words: &[&str]) -> Option<Vec<OsString>> {
    require("cc").then(|| {
        let program: OsString = c_program("accepters", &[]).into();
        [program].into_iter().chain(words.iter().map(OsString::from)).collect()
    })
}

#[test]
fn lose_no_connection_where_descriptors_are_few() {
    let Some(command) = command(&["4", "32", "2"]) else { return };
    let cluster = Cluster::start_command(&command, Options::workers(1));
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("3,000 requests end", 2 * PATIENCE, || load.done() >= 3_000);
    let samples = load.finish();
    let failed: Vec<_> = samples.iter().filter(|sample| sample.result.is_err()).collect();
    assert!(failed.is_empty(), "{} of {}: {:?}", failed.len(), samples.len(), failed[0]);
    assert_eq!(cluster.log().count(" lost a connection"), 0);
    assert_eq!(cluster.stdout().text(), "");
    cluster.stop();
}

const THREADS: usize = 8;

/// Kills the supervisor of threads that all wait in accept(), and waits until each of them waits again, in one of these calls.
fn kill_supervisor(flags: &str, calls: &[libc::c_long]) -> Option<Cluster> {
    let command = command(&[&THREADS.to_string()])?;
    let options = Options::workers(1).flags(flags).env("CLUSTERMON_THUNK_LOG", "1");
    let cluster = Cluster::start_command(&command, options);
    answer(&cluster);
    signal(cluster.pid(), libc::SIGKILL);
    let told = "the supervisor is gone; this process goes on with what it has";
    cluster.log().wait_for_count(told, THREADS, PATIENCE);
    let worker = cluster.started()["0"];
    let waits = |tid: &str| {
        let call = fs::read_to_string(format!("/proc/{worker}/task/{tid}/syscall")).unwrap_or_default();
        calls.iter().any(|number| call.starts_with(&format!("{number} ")))
    };
    let waiting = || {
        let threads = fs::read_dir(format!("/proc/{worker}/task")).into_iter().flatten().flatten();
        threads.filter(|thread| thread.file_name().to_str().is_some_and(waits)).count()
    };
    wait_until("all threads wait again", PATIENCE, || waiting() == THREADS);
    assert_eq!(cluster.stdout().text(), "", "accept() failed in a thread");
    Some(cluster)
}

fn answer(cluster: &Cluster) {
    for _ in 0..2 * THREADS {
        assert_eq!(get(&cluster.target(), "/").expect("an answer").text(), "pid=1 id=0\n");
    }
}

#[test]
fn accept_on_when_the_supervisor_is_gone_and_they_are_to_be_kept() {
    #[cfg(target_arch = "x86_64")]
    let calls = [libc::SYS_poll, libc::SYS_ppoll];
    #[cfg(not(target_arch = "x86_64"))]
    let calls = [libc::SYS_ppoll];
    let Some(cluster) = kill_supervisor("--on-supervisor-death keep --dispatch credit", &calls) else {
        return;
    };
    answer(&cluster);
    assert_eq!(cluster.stdout().text(), "", "accept() failed in a thread");
}

/// Connections were handed over by the supervisor: none will come.
#[test]
fn wait_on_when_the_supervisor_is_gone_and_has_handed_over() {
    let flags = "--on-supervisor-death keep --dispatch handoff";
    let _ = kill_supervisor(flags, &[libc::SYS_recvmsg]);
}

/// bind() and listen() decide for good whether a worker is managed, so they outwait every limit of a request.
#[test]
fn are_managed_though_the_supervisor_was_stopped_when_they_listened() {
    let Some(command) = command(&["2"]) else { return };
    let script = "until [ -e listen ]; do sleep 0.02; done; exec \"$0\" \"$@\"";
    let command: Vec<OsString> =
        ["sh", "-c", script].map(OsString::from).into_iter().chain(command).collect();
    let options = Options::workers(2).listen(Listen::Host("127.0.0.1")).at_once();
    let mut cluster = Cluster::start_command(&command, options);
    cluster.log().wait_for_count(" started, pid ", 2, PATIENCE);
    pause(cluster.pid());
    fs::write(cluster.temp().path().join("listen"), "").expect("the temporary directory is writable");
    let stopped = Instant::now();
    wait_until("the limit of a request has run out", PATIENCE, || stopped.elapsed() > Duration::from_secs(6));
    resume(cluster.pid());
    cluster.wait_ready(2);
    assert_eq!(cluster.log().count(" listens on "), 2);
    for _ in 0..4 {
        assert_eq!(get(&cluster.target(), "/").expect("an answer").text(), "pid=1 id=0\n");
    }
    cluster.stop();
}
