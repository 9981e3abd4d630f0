//! Where things lie and who runs them: folders with a space, a lone binary, another user.

use harness::{
    Cluster, Listen, Options, TempDir, app, c_program, check_contract, clustermon, require, thunk,
    wait_for_ids,
};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Copies the file, or the folder with all in it, for everybody to read.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("the temporary directory is writable");
        for entry in fs::read_dir(from).expect("it is a folder").flatten() {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).expect("the temporary directory is writable");
    }
}

fn copy_into(from: &Path, folder: &Path) -> PathBuf {
    let to = folder.join(from.file_name().expect("a file has a name"));
    copy(from, &to);
    fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("we have just made it");
    to
}

#[test]
fn paths_may_have_spaces() {
    let folder = TempDir::named("with space");
    let supervisor = copy_into(&clustermon(), folder.path());
    copy_into(&thunk(), folder.path());
    let root = folder.path().join("more apps");
    for part in ["node", "python", "run.sh"] {
        fs::create_dir_all(&root).expect("the temporary directory is writable");
        copy(&harness::app_dir().join(part), &root.join(part));
    }
    for name in ["node-http", "python-asyncio"] {
        let Some(app) = app(name) else { continue };
        for via in [harness::Via::Direct, harness::Via::ShellC, harness::Via::Script] {
            let options = Options::workers(2).supervisor(&supervisor).root(&root).via(via);
            let cluster = Cluster::start(&app, options);
            check_contract(&cluster.target(), &app);
            wait_for_ids(&cluster.target(), &app, 2);
            cluster.stop();
        }
    }
}

#[test]
fn a_lone_binary_needs_nothing_else() {
    let Some(app) = app("node-http") else { return };
    let folder = TempDir::new();
    let supervisor = copy_into(&clustermon(), folder.path());
    let cluster = Cluster::start(&app, Options::workers(2).supervisor(&supervisor));
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn the_thunk_may_be_named() {
    let Some(app) = app("node-http") else { return };
    let folder = TempDir::new();
    let supervisor = copy_into(&clustermon(), folder.path());
    let elsewhere = TempDir::new();
    let thunk = elsewhere.path().join("other-name.so");
    copy(&harness::thunk(), &thunk);
    let by_flag = Options::workers(2).supervisor(&supervisor).flags(&format!("--thunk {}", thunk.display()));
    let by_variable = Options::workers(2).supervisor(&supervisor).env("CLUSTERMON_THUNK", &thunk);
    for options in [by_flag, by_variable] {
        let cluster = Cluster::start(&app, options);
        wait_for_ids(&cluster.target(), &app, 2);
        let pid = cluster.started()["0"];
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
        assert!(maps.contains("other-name.so"), "another thunk was loaded");
        cluster.stop();
    }
}

/// Whether we may become somebody else.
fn is_root() -> bool {
    // SAFETY: it takes nothing and cannot fail.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("skipped: only root may run workers as another user");
    }
    root
}

#[test]
fn workers_may_drop_to_another_user() {
    let (Some(app), true) = (app("c-epoll"), is_root()) else { return };
    for listen in [Listen::Host("127.0.0.1"), Listen::Zero("0.0.0.0")] {
        let options = Options::workers(3).env("RUN_AS_UID", "65534").listen(listen);
        let mut cluster = Cluster::start(&app, options.flags("--min-uptime 1ms"));
        check_contract(&cluster.target(), &app);
        wait_for_ids(&cluster.target(), &app, 3);
        let pid = cluster.started()["1"];
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        assert!(status.contains("Uid:\t65534\t65534\t65534"), "{status}");
        harness::signal(pid, libc::SIGKILL);
        cluster.wait_ready(4);
        wait_for_ids(&cluster.target(), &app, 3);
        cluster.stop();
    }
}

#[test]
fn workers_may_be_started_as_another_user() {
    let (Some(app), true) = (app("c-epoll"), is_root()) else { return };
    if !require("setpriv") {
        return;
    }
    // Nothing says that the build folder may be entered by everybody.
    let folder = TempDir::new();
    let supervisor = copy_into(&clustermon(), folder.path());
    copy_into(&thunk(), folder.path());
    let program = copy_into(&c_program("epoll", &[]), folder.path());
    let mut command: Vec<_> = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        .map(std::ffi::OsString::from)
        .into();
    command.push(program.into());
    let cluster = Cluster::start_command(&command, Options::workers(3).supervisor(&supervisor));
    check_contract(&cluster.target(), &app);
    wait_for_ids(&cluster.target(), &app, 3);
    cluster.stop();
}

#[test]
fn a_lone_binary_serves_other_users_too() {
    let (Some(app), true) = (app("c-epoll"), is_root()) else { return };
    if !require("setpriv") {
        return;
    }
    let folder = TempDir::new();
    let supervisor = copy_into(&clustermon(), folder.path());
    let program = copy_into(&c_program("epoll", &[]), folder.path());
    let mut command: Vec<_> = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        .map(std::ffi::OsString::from)
        .into();
    command.push(program.into());
    let cluster = Cluster::start_command(&command, Options::workers(2).supervisor(&supervisor));
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}
