//! Whom a SIGKILL is put down to: the OOM killer only where it has struck in the worker's own control group.

use harness::{Cluster, Listen, Options, app_dir, get, interpreter, require, signal};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A control group with so little memory that one program can use it up. Removed with this.
pub(crate) struct Group(PathBuf);

impl Group {
    /// Says why if there can be none.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let name = format!("clustermon-test-{}-{name}", std::process::id());
        for (parent, limit) in
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")]
        {
            let group = Self(PathBuf::from(parent).join(&name));
            if fs::create_dir(&group.0).is_ok() && fs::write(group.0.join(limit), "60000000").is_ok() {
                return Some(group);
            }
        }
        eprintln!("skipped: no control group with a limit of memory can be made here (it takes root)");
        None
    }

    /// Before the words: they run in the group.
    pub(crate) fn inside(&self) -> [OsString; 3] {
        let script = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", self.0.display());
        ["sh".into(), "-c".into(), script.into()]
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

fn server() -> [OsString; 2] {
    [interpreter("python3"), app_dir().join("python/aio.py").into()]
}

#[test]
fn a_kill_is_not_put_down_to_what_happened_elsewhere() {
    if !require("python3") {
        return;
    }
    let Some(group) = Group::new("other") else { return };
    let cluster = Cluster::start_command(&server(), Options::workers(1).listen(Listen::Host("127.0.0.1")));
    let [shell, flag, script] = group.inside();
    let eater = ["-c", "x = bytearray(300 << 20)"];
    let eaten = Command::new(shell).args([flag, script, interpreter("python3")]).args(eater).status();
    assert!(!eaten.expect("it starts").success(), "it was to be killed for its memory");
    signal(cluster.started()["0"], libc::SIGKILL);
    cluster.log().wait_for("worker 0 exited: signal SIGKILL (not known who sent it)");
    cluster.stop();
}

#[test]
fn the_oom_killer_is_named_where_it_has_struck() {
    if !require("python3") {
        return;
    }
    let Some(group) = Group::new("own") else { return };
    let command: Vec<OsString> = group.inside().into_iter().chain(server()).collect();
    let flags = "--pulse 100ms";
    let options = Options::workers(1).listen(Listen::Host("127.0.0.1")).flags(flags);
    let cluster = Cluster::start_command(&command, options);
    // From the first sample on it is known which group it has put itself into.
    harness::wait_until("a sample is taken", harness::PATIENCE, || {
        cluster.inspect_worker("0")["health"]["rss"].as_u64().is_some()
    });
    let _ = get(&cluster.target(), "/leak?mb=300");
    cluster.log().wait_for("worker 0 exited: signal SIGKILL (out of memory: the kernel's OOM killer)");
    cluster.stop();
}
