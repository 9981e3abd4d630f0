//! Workers of another user go on working: they are measured, reloaded and stopped, end with the supervisor, and have the files of their sockets to
//! themselves.

use super::{AS_IN_CONTAINERS, NOBODY, Place, status};
use harness::{
    Cluster, Listen, Options, PATIENCE, ends_within, is_alive, pidfd, require, signal, wait_until, who,
};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;

fn both_answer(cluster: &Cluster) {
    let mut seen = BTreeSet::new();
    wait_until("both workers answer", PATIENCE, || {
        seen.extend(who(&cluster.target()).map(|who| who.id));
        seen.len() == 2
    });
}

#[test]
fn they_are_measured_reloaded_replaced_and_stopped() {
    for (flags, words) in
        [(&[][..], ""), (&["-static"], ""), (&[], " --dispatch kernel"), (&[], " --no-new-privs")]
    {
        let Some(place) = Place::new(flags) else { return };
        let mut cluster = place.start(2, &format!("{NOBODY} --pulse 50ms --restart-delay 1ms{words}"));
        both_answer(&cluster);
        for id in ["0", "1"] {
            let health = || cluster.inspect_worker(id)["health"].clone();
            let is_known = |name: &str| health()[name].as_u64().is_some_and(|value| value > 0);
            for name in ["rss", "descriptors"] {
                wait_until(&format!("{name} of it is known"), PATIENCE, || is_known(name));
            }
        }
        cluster.order("reload");
        cluster.wait_ready(4);
        both_answer(&cluster);
        let killed = cluster.started()["0"];
        signal(killed, libc::SIGKILL);
        cluster.wait_ready(5);
        both_answer(&cluster);
        cluster.order("scale 3");
        cluster.wait_ready(6);
        for pid in cluster.started().into_values() {
            assert_eq!(status(pid, "Uid"), ["65534"; 4]);
        }
        cluster.stop();
    }
}

/// As root is in a container.
#[test]
fn they_drain_where_root_may_not_look_into_others() {
    let Some(place) = Place::new(&[]).filter(|_| require("setpriv")) else { return };
    let options = Options::workers(2).flags(NOBODY).flags("--drain-timeout 10m").below(&AS_IN_CONTAINERS);
    let mut cluster = place.start_with(&[&place.program], options);
    both_answer(&cluster);
    cluster.order("reload");
    cluster.wait_ready(4);
    both_answer(&cluster);
    assert_eq!(cluster.log().count(" has drained in "), 2, "{}", cluster.log().text());
    assert_eq!(cluster.log().count("cannot be told"), 0, "{}", cluster.log().text());
    cluster.stop();
}

#[test]
fn they_end_with_the_supervisor() {
    for flags in [&[][..], &["-static"]] {
        let Some(place) = Place::new(flags) else { return };
        let cluster = place.start(2, NOBODY);
        let workers: Vec<_> = cluster.started().into_values().collect();
        let handles: Vec<_> = workers.iter().map(|pid| pidfd(*pid).expect("it lives")).collect();
        cluster.signal(libc::SIGKILL);
        for (pid, handle) in workers.iter().zip(&handles) {
            assert!(ends_within(handle, PATIENCE) && !is_alive(*pid));
        }
    }
}

#[test]
fn the_file_of_their_socket_is_theirs() {
    let Some(place) = Place::new(&[]) else { return };
    let open = place.folder.path().join("open");
    fs::create_dir(&open).expect("the temporary directory is writable");
    std::os::unix::fs::chown(&open, Some(65534), Some(65534)).expect("root may");
    let path = open.join("a.sock");
    let command =
        ["/usr/bin/env".into(), format!("UNIX_PATH={}", path.display()), place.program.display().to_string()];
    let options = || Options::workers(2).listen(Listen::Abstract).flags(NOBODY);
    let mut cluster = place.start_with(&command, options());
    let target = harness::Target::Path(path.clone());
    let mut seen = BTreeSet::new();
    wait_until("both workers answer", PATIENCE, || {
        seen.extend(who(&target).map(|who| who.id));
        seen.len() == 2
    });
    assert_eq!(fs::metadata(&path).expect("it is there").uid(), 65534);
    cluster.order("reload");
    cluster.wait_ready(4);
    assert!(who(&target).is_ok());
    cluster.stop();
    assert!(!path.exists(), "it goes with the cluster");

    // Where the user may remove nothing any more, nothing is removed for it.
    let cluster = place.start_with(&command, options());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::os::unix::fs::chown(&open, Some(0), Some(0)).expect("root may");
    fs::set_permissions(&open, mode).expect("root may");
    cluster.stop();
    assert!(path.exists(), "root's right was used for a worker's path");
}
