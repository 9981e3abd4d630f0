//! Sockets whose bind was in name only, because the cluster has the address: they listen wherever they end up, and where
//! the supervisor cannot be asked they are refused. None listens on a port that nobody asked for.

use harness::{Cluster, Listen, Options, PATIENCE, c_program, require};

#[track_caller]
fn check(options: Options) {
    let cluster = Cluster::start_command(&[c_program("owned", &[])], options);
    cluster.stdout().wait_for_count("done", 1, PATIENCE);
    let text = cluster.stdout().text();
    assert_eq!(text, "executed: 0\nspawned: 0\npassed: 0\nnot asked: 0\ndone\n");
    cluster.stop();
}

#[test]
fn a_unix_path_is_joined_from_anywhere_or_refused() {
    if require("cc") {
        check(Options::workers(1).listen(Listen::Path("a.sock")));
        check(Options::workers(1).listen(Listen::Abstract));
    }
}

/// By the kernel's rules a port is shared by the sockets of one user only.
#[test]
fn a_port_of_another_user_is_joined_from_anywhere_or_refused() {
    // SAFETY: it takes nothing and touches no memory of ours.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: only root can be two users");
        return;
    }
    if require("cc") {
        check(Options::workers(1).env("BIND_AS_UID", "65534"));
    }
}
