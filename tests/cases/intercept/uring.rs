//! Programs that accept through io_uring. They pass the library by and get nothing, and whoever reads the log is told why and what to choose;
//! with the filter they are workers like any other.

use crate::dispatch::kernel::levels::{LEVELS, has};
use crate::intercept::filtered::all_answer;
use harness::{Cluster, Conn, Load, Options, PATIENCE, c_program, is_alive, require, wait_until, who};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The server, if it can have a ring. Where the kernel has none that is said.
fn program(flags: &[&str]) -> Option<PathBuf> {
    if !require("cc") {
        return None;
    }
    // SAFETY: the kernel writes to the parameters, for which there is room.
    let ring = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, [0u64; 32].as_mut_ptr()) };
    if ring < 0 {
        let error = std::io::Error::last_os_error();
        eprintln!("skipped: io_uring_setup(2): {error}");
        return None;
    }
    // SAFETY: we have just made it.
    unsafe { libc::close(ring as i32) };
    Some(c_program("uring", flags))
}

#[test]
fn with_the_library_they_get_nothing_and_it_is_said_what_to_choose() {
    let Some(program) = program(&[]) else { return };
    let options = Options::workers(2).flags("--lag-limit 200ms").at_once();
    let cluster = Cluster::start_command(&[&program], options);
    cluster.log().wait_for_count(" is ready", 2, PATIENCE);
    // One for each, and more.
    let waiting: Vec<_> = (0..4).map(|_| Conn::open(&cluster.target()).expect("it listens")).collect();
    cluster
        .log()
        .wait_for(" has taken no connection and has an io_uring: what a program accepts through io_uring");
    assert!(cluster.log().text().contains("choose --intercept seccomp"), "{}", cluster.log().text());
    drop(waiting);
    // Without waiting for what nobody will take.
    cluster.stop_by(libc::SIGINT);
}

#[test]
fn with_the_library_and_a_socket_of_their_own_they_are_served() {
    let Some(program) = program(&[]) else { return };
    for level in LEVELS.into_iter().filter(|level| has(level)) {
        let options = Options::workers(2).flags("--dispatch kernel").env("CLUSTERMON_STEERING", level);
        let cluster = Cluster::start_command(&[&program], options);
        all_answer(&cluster.target(), 2);
        cluster.stop();
    }
}

#[test]
fn with_the_filter_they_serve_and_are_reloaded_without_loss() {
    for (flags, intercept) in [(&[][..], "--intercept seccomp"), (&["-static"][..], "--intercept auto")] {
        let Some(program) = program(flags) else { return };
        for level in LEVELS.into_iter().filter(|level| has(level)) {
            let options = Options::workers(2).flags(&format!("{intercept} --min-healthy-time 50ms"));
            let cluster = Cluster::start_command(&[&program], options.env("CLUSTERMON_STEERING", level));
            assert_eq!(cluster.inspect()["intercept"], "seccomp");
            all_answer(&cluster.target(), 2);
            let before: BTreeSet<_> = cluster.started().into_values().collect();
            let load = Load::start(&cluster.target(), 4, "/");
            wait_until("the clients are at it", PATIENCE, || load.done() > 50);
            cluster.order("reload --wait");
            wait_until("those before have ended", PATIENCE, || before.iter().all(|pid| !is_alive(*pid)));
            assert!(!before.contains(&who(&cluster.target()).expect("an answer").pid));
            load.finish_unharmed();
            cluster.stop();
        }
    }
}
