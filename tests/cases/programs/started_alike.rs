//! What the tests start has every signal at its default, whatever the tests were started by.

use harness::{Cluster, Options};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Set where the test below is run by the one after it.
const UNDER: &str = "CLUSTERMON_TEST_UNDER_DEAF_PARENT";

/// The signals in this line of a process' status, without 32 and 33: the C library takes these two for its threads.
fn signals(status: &str, line: &str) -> u64 {
    let hex = status.lines().find_map(|each| each.strip_prefix(line)).expect("the kernel tells it");
    u64::from_str_radix(hex.trim(), 16).expect("a mask in hex") & !(0b11 << 31)
}

fn bit(number: i32) -> u64 {
    1 << (number - 1)
}

/// What a parent leaves ignored: `nohup`, a shell's `&`, a service manager, somebody's own launcher.
fn ignored() -> Vec<i32> {
    let far = libc::SIGRTMIN() + 6;
    let near = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGPIPE, libc::SIGCHLD];
    [&near[..], &[libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH, libc::SIGTTIN, libc::SIGTTOU, far]].concat()
}

#[test]
fn every_signal_is_at_its_default_in_what_the_tests_start() {
    if std::env::var_os(UNDER).is_some() {
        let own = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
        let handled = signals(&own, "SigCgt:");
        let expected =
            ignored().into_iter().filter(|number| ![libc::SIGPIPE, libc::SIGCHLD].contains(number));
        for number in expected {
            assert_ne!(handled & bit(number), 0, "signal {number} was not ignored: nothing is shown here");
        }
    }
    let tell = ["sh", "-c", "cat /proc/self/status >&2"];
    let command = Command::new(tell[0]).args(&tell[1..]).output().expect("it starts").stderr;
    let mut cluster = Cluster::start_command(&tell, Options::workers(1).flags("--exit-codes-ok 0").at_once());
    assert_eq!(cluster.wait_exit().code(), Some(0));
    for status in [String::from_utf8_lossy(&command).into_owned(), cluster.log().text()] {
        assert_eq!((signals(&status, "SigIgn:"), signals(&status, "SigBlk:")), (0, 0), "{status}");
    }
}

#[test]
fn and_so_it_is_where_a_parent_ignores_and_blocks_them() {
    let mut again = Command::new(std::env::current_exe().expect("/proc is mounted"));
    again
        .args(["--exact", "programs::started_alike::every_signal_is_at_its_default_in_what_the_tests_start"]);
    again.env(UNDER, "1");
    let numbers = ignored();
    let deaf = move || {
        // SAFETY: sigset_t is plain data that sigfillset fills; no handler is installed.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
            numbers.iter().for_each(|number| _ = libc::signal(*number, libc::SIG_IGN));
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes system calls only, and reads a vector that the parent has made.
    unsafe { again.pre_exec(deaf) };
    let said = again.output().expect("it starts");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(
        said.status.success() && text.contains(" 1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&said.stderr)
    );
}
