//! Where a lane takes a socket's place, its epoll registrations come along, however many there are; where they cannot be
//! known nothing is put in its place. No registration is left behind that fires for ever.

use harness::{Cluster, Options, PATIENCE, TempDir, c_program, get, require, wait_until};
use std::ffi::OsString;
use std::fs;

/// Starts it in this mode, asks each of two workers, and waits until each has looked for ghosts.
#[track_caller]
fn has_no_ghosts(sets: &str, mode: &[&str]) -> Option<Cluster> {
    if !require("cc") {
        return None;
    }
    let mut command: Vec<OsString> = vec![c_program("registered", &[]).into(), sets.into()];
    command.extend(mode.iter().map(OsString::from));
    let cluster = Cluster::start_command(&command, Options::workers(2));
    let target = cluster.target();
    wait_until("each has answered, and has found no ghosts", PATIENCE, || {
        assert_eq!(get(&target, "/").expect("an answer").text(), "hi\n");
        let said = cluster.stdout().lines_with(" ghosts in ");
        assert!(said.iter().all(|line| *line == format!("0 ghosts in {sets} sets")), "{said:?}");
        said.len() == 2
    });
    Some(cluster)
}

fn is_root() -> bool {
    // SAFETY: no memory is involved.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        eprintln!("skipped: only root may chroot");
    }
    root
}

fn members(cluster: &Cluster) -> usize {
    ["0", "1"].map(|id| cluster.inspect_worker(id)["members"].as_array().map_or(0, Vec::len)).iter().sum()
}

#[test]
fn come_along_however_many_sets_there_are() {
    for sets in ["1", "17", "300"] {
        let Some(cluster) = has_no_ghosts(sets, &["fork"]) else { return };
        wait_until("both children have lanes of their own", PATIENCE, || members(&cluster) == 2);
        cluster.stop();
    }
}

#[test]
fn come_along_after_the_first_thread_has_ended() {
    let Some(cluster) = has_no_ghosts("20", &["early"]) else { return };
    assert_eq!(cluster.log().count(" listens on "), 2, "each is managed");
    cluster.stop();
}

/// Without /proc a child goes on with the lane that it came by.
#[test]
fn are_left_alone_where_they_cannot_be_known() {
    if !is_root() {
        return;
    }
    let root = TempDir::new();
    let Some(cluster) = has_no_ghosts("2", &["fork", &root.path().display().to_string()]) else { return };
    assert_eq!(members(&cluster), 0);
    cluster.stop();
}

/// Debian's default configuration: the workers' children see an empty directory, and have changed their user.
#[test]
fn haproxy_serves_from_its_empty_root() {
    if !is_root() || !require("haproxy") {
        return;
    }
    let folder = TempDir::new();
    let root = folder.path().join("root");
    fs::create_dir(&root).expect("the temporary directory is writable");
    let config = folder.path().join("haproxy.cfg");
    let text = format!(
        "global\n chroot {}\n user nobody\n nbthread 3\ndefaults\n mode http\n timeout client 10s\n\
         frontend f\n bind \"${{HOST}}:${{PORT}}\"\n http-request return status 200 content-type text/plain string served\n",
        root.display()
    );
    fs::write(&config, text).expect("the temporary directory is writable");
    for mode in ["-W", "-db"] {
        let command: [OsString; 4] = ["haproxy".into(), mode.into(), "-f".into(), config.clone().into()];
        let cluster = Cluster::start_command(&command, Options::workers(2));
        for _ in 0..20 {
            assert_eq!(get(&cluster.target(), "/").expect("an answer").text(), "served", "{mode}");
        }
        assert_eq!(cluster.log().count(" has taken nothing "), 0, "{mode}");
        cluster.stop();
    }
}
