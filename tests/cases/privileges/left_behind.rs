//! What hooks and workers of another user leave behind ends, also where root may not look into processes of others.

use super::{AS_IN_CONTAINERS, NOBODY, Place};
use crate::hooks::on;
use harness::{Options, PATIENCE, is_alive, require, signal, wait_for, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Leaves its group and its parent, and says its number in the file of this name.
fn helper(file: &Path) -> String {
    format!(
        "setsid sh -c 'trap \"\" HUP; echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000' </dev/null >/dev/null 2>&1 &",
        file.display()
    )
}

fn pid(file: &Path) -> u32 {
    let text = || fs::read_to_string(file).ok();
    wait_for("the helper has begun", PATIENCE, text).trim().parse().expect("a number")
}

#[test]
fn it_ends_with_them() {
    if !require("setpriv") || !require("setsid") {
        return;
    }
    for before in [&AS_IN_CONTAINERS[..], &[]] {
        let Some(place) = Place::new(&[]) else { return };
        let folder = place.folder.path().join("out");
        fs::create_dir(&folder).expect("the folder is ours");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("the folder is ours");
        let (of_worker, of_hook) = (folder.join("worker"), folder.join("hook"));
        let script = place.folder.path().join("hook.sh");
        let waits = format!("while [ ! -e {} ]; do sleep 0.01; done", of_hook.display());
        fs::write(&script, format!("{}\n{waits}\n", helper(&of_hook))).expect("the folder is ours");

        let options = on(Options::workers(1).flags(NOBODY), "start", &format!("sh {}", script.display()));
        let command =
            ["sh".into(), "-c".into(), format!("{} exec {}", helper(&of_worker), place.program.display())];
        let cluster = place.start_with(&command, options.below(before));
        wait_until("the hook has ended", PATIENCE, || cluster.inspect()["hooks"]["done"] == 1);
        assert!(!is_alive(pid(&of_hook)), "what the hook has left goes on");

        let helper = pid(&of_worker);
        assert!(is_alive(helper));
        signal(cluster.started()["0"], libc::SIGKILL);
        wait_until("what the worker has left ends", PATIENCE, || !is_alive(helper));
        cluster.stop();
    }
}
