//! Programs that cannot be served: their own seccomp filter forbids what accept() is in a worker, or they accept past the C
//! library. They are told apart from programs that hang, and whoever reads the log or the status sees why. A filter that only
//! forbids what accept() can do without is no hindrance.

use harness::{Cluster, Conn, Options, PATIENCE, c_program, require, wait_until};
use std::ffi::OsString;

fn start(words: &[&str], workers: usize) -> Option<Cluster> {
    if !require("cc") {
        return None;
    }
    let mut command: Vec<OsString> = vec![c_program("barred", &[]).into()];
    command.extend(words.iter().map(OsString::from));
    Some(Cluster::start_command(&command, Options::workers(workers).flags("--lag-limit 300ms")))
}

/// Waits until the log and the status of a worker say so, while somebody waits to be served.
#[track_caller]
fn says_why(words: &[&str], workers: usize, why: &str) {
    let Some(cluster) = start(words, workers) else { return };
    let waiting = Conn::open(&cluster.target()).expect("it listens");
    cluster.log().wait_for(why);
    wait_until("the status says so too", PATIENCE, || {
        (0..workers).any(|id| {
            let cause = &cluster.inspect_worker(&id.to_string())["out_of_rotation"];
            cause["kind"] == "stuck" && cause["text"].as_str().is_some_and(|text| text.contains(why))
        })
    });
    assert_eq!(cluster.log().count(why), 1, "it is said once");
    drop(waiting);
    cluster.stop_by(libc::SIGINT);
}

const FILTER: &str =
    "recvmsg(2) fails (Operation not permitted (os error 1)), a seccomp filter forbids it that call";

#[test]
fn a_filter_that_forbids_receiving_is_named() {
    says_why(&["filter", "recvmsg"], 1, FILTER);
    // Told by write(2) then.
    says_why(&["filter", "recvmsg", "sendto", "sendmsg", "fcntl", "clock_gettime"], 1, FILTER);
}

#[test]
fn direct_system_calls_are_named() {
    says_why(&["direct"], 1, "it accepts by direct system calls, it seems");
    says_why(&["spin"], 1, "it accepts by direct system calls, it seems");
}

#[test]
fn a_filter_that_forbids_only_what_accept_can_do_without_is_no_hindrance() {
    let forbidden = [
        "filter",
        "recvfrom",
        "sendto",
        "sendmsg",
        "fcntl",
        "getsockname",
        "getsockopt",
        "prlimit64",
        "ppoll",
        "socket",
        "connect",
        "openat",
        "clock_gettime",
        "sched_yield",
    ];
    for words in [&forbidden[..], &["filter", "prlimit64"], &["filter", "fcntl"], &["filter"]] {
        let Some(cluster) = start(words, 2) else { return };
        for _ in 0..10 {
            let line = Conn::open(&cluster.target()).expect("it listens").line();
            assert_eq!(line.expect("it is served"), "served", "{words:?}");
        }
        assert_eq!(cluster.log().count("filter"), 0, "{words:?}");
        cluster.stop();
    }
}
