//! Sockets whose bind was in name only, because the cluster has the address: they listen wherever they end up, and where
//! the supervisor cannot be asked they are refused. None listens on a port that nobody asked for.

use harness::{Cluster, Listen, Options, PATIENCE, TempDir, c_program, clustermon, require, thunk};
use std::path::{Path, PathBuf};

#[track_caller]
fn check(program: &Path, options: Options) {
    let cluster = Cluster::start_command(&[program], options);
    cluster.stdout().wait_for_count("done", 1, PATIENCE);
    let text = cluster.stdout().text();
    assert_eq!(text, "executed: 0\nspawned: 0\npassed: 0\nnot asked: 0\ndone\n");
    cluster.stop();
}

#[test]
fn a_unix_path_is_joined_from_anywhere_or_refused() {
    if require("cc") {
        let program = c_program("owned", &[]);
        check(&program, Options::workers(1).listen(Listen::Path("a.sock")));
        check(&program, Options::workers(1).listen(Listen::Abstract));
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
    if !require("cc") {
        return;
    }
    // Nothing says that the build folder may be entered by everybody.
    let folder = TempDir::new();
    let supervisor = copy_into(&clustermon(), folder.path());
    copy_into(&thunk(), folder.path());
    let program = copy_into(&c_program("owned", &[]), folder.path());
    check(&program, Options::workers(1).supervisor(&supervisor).env("BIND_AS_UID", "65534"));
}

fn copy_into(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join(file.file_name().expect("it is a file"));
    std::fs::copy(file, &copy).expect("the temporary directory is writable");
    copy
}
