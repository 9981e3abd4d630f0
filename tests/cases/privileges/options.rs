//! Users, groups, limits, priority, CPUs and capabilities, as the system tells them of running workers.

use super::{NOBODY, Place, status};
use harness::{Options, PATIENCE, wait_until, who};
use std::collections::BTreeSet;
use std::fs;

/// The soft and the hard limit of that name.
fn limit(pid: u32, name: &str) -> (String, String) {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).expect("the worker lives");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
    let mut words = line.split_whitespace().map(str::to_owned);
    (words.next().expect("a limit"), words.next().expect("a limit"))
}

fn nice(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the worker lives");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    fields.split(' ').nth(16).expect("the kernel tells it").to_owned()
}

fn variables(pid: u32) -> BTreeSet<String> {
    let environ = fs::read(format!("/proc/{pid}/environ")).expect("the worker lives");
    environ.split(|byte| *byte == 0).map(|entry| String::from_utf8_lossy(entry).into_owned()).collect()
}

#[test]
fn a_worker_is_whom_it_is_told_to_be() {
    let Some(place) = Place::new(&[]) else { return };
    for (words, groups) in [("", &["65534"][..]), (" --groups 24,4", &["4", "24"]), (" --groups none", &[])] {
        let cluster = place.start(2, &format!("{NOBODY}{words}"));
        for pid in cluster.started().into_values() {
            assert_eq!(status(pid, "Uid"), ["65534"; 4]);
            assert_eq!(status(pid, "Gid"), ["65534"; 4]);
            assert_eq!(status(pid, "Groups"), groups, "{words}");
            for set in ["CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(status(pid, set), ["0000000000000000"], "{set}");
            }
            assert_eq!(status(pid, "NoNewPrivs"), ["0"]);
        }
        cluster.stop();
    }
}

#[test]
fn a_user_by_name_has_its_groups_and_its_home() {
    let entry = |line: &str| {
        let fields: Vec<_> = line.split(':').map(str::to_owned).collect();
        (fields.len() == 7 && fields[0] == "nobody").then_some(fields)
    };
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let Some(entry) = passwd.lines().find_map(entry) else {
        eprintln!("skipped: there is no user nobody in /etc/passwd");
        return;
    };
    let Some(place) = Place::new(&[]) else { return };
    let file = place.folder.path().join("variables");
    fs::write(&file, "USER=by-file\n").expect("the temporary directory is writable");
    for (words, user) in [(String::new(), "nobody"), (format!(" --env-file {}", file.display()), "by-file")] {
        let options = Options::workers(1)
            .flags(&format!("--user nobody{words}"))
            .env("HOME", "/root")
            .env("USER", "root");
        let cluster = place.start_with(&[&place.program], options);
        let pid = cluster.started()["0"];
        assert_eq!(
            (status(pid, "Uid")[1].as_str(), status(pid, "Gid")[1].as_str()),
            (&*entry[2], &*entry[3])
        );
        let variables = variables(pid);
        for expected in [format!("HOME={}", entry[5]), format!("USER={user}"), "LOGNAME=nobody".to_owned()] {
            assert!(variables.contains(&expected), "{expected}: {variables:?}");
        }
        cluster.stop();
    }
}

#[test]
fn limits_priority_and_no_new_rights() {
    let Some(place) = Place::new(&[]) else { return };
    let words = "--limit nofile=300:400 --limit core=0 --nice 7 --no-new-privs";
    for whom in [NOBODY, "--user 0 --group 0"] {
        let cluster = place.start(1, &format!("{words} {whom}"));
        let pid = cluster.started()["0"];
        assert_eq!(limit(pid, "Max open files"), ("300".to_owned(), "400".to_owned()));
        assert_eq!(limit(pid, "Max core file size"), ("0".to_owned(), "0".to_owned()));
        assert_eq!(nice(pid), "7");
        assert_eq!(status(pid, "NoNewPrivs"), ["1"]);
        let own = cluster.pid();
        assert_ne!(limit(own, "Max open files").0, "300", "the supervisor's own are as they were");
        assert_eq!(nice(own), nice(std::process::id()));
        cluster.stop();
    }
}

#[test]
fn cpus_are_spread_or_the_same_for_all() {
    let Some(place) = Place::new(&[]) else { return };
    let own = status(std::process::id(), "Cpus_allowed_list").concat();
    let first = own.split([',', '-']).next().expect("there is a CPU").to_owned();
    let cluster = place.start(2, &format!("--cpu-affinity {first}"));
    for pid in cluster.started().into_values() {
        assert_eq!(status(pid, "Cpus_allowed_list"), [first.as_str()]);
    }
    cluster.stop();
    let cluster = place.start(2, &format!("--cpu-affinity spread {NOBODY}"));
    let before = cluster.started();
    let cpus = |pid| status(pid, "Cpus_allowed_list").concat();
    if own != first {
        assert_ne!(cpus(before["0"]), cpus(before["1"]), "of {own}");
    }
    // Whoever comes in its place has the same.
    cluster.order("reload");
    let after = cluster.started();
    for id in ["0", "1"] {
        assert_ne!(after[id], before[id]);
    }
    if own != first {
        assert_ne!(cpus(after["0"]), cpus(after["1"]), "of {own}");
    }
    assert_eq!(
        status(cluster.pid(), "Cpus_allowed_list").concat(),
        own,
        "the supervisor's own are as they were"
    );
    cluster.stop();
}

#[test]
fn what_is_kept_of_roots_rights_is_all_there_is() {
    let Some(place) = Place::new(&[]) else { return };
    for whom in [NOBODY, "--user 0 --group 0"] {
        let cluster = place.start(1, &format!("--keep-capability net_bind_service,CAP_KILL {whom}"));
        let pid = cluster.started()["0"];
        for set in ["CapPrm", "CapEff", "CapAmb", "CapBnd"] {
            assert_eq!(status(pid, set), ["0000000000000420"], "{set} of {whom}");
        }
        // The library is in it all the same.
        wait_until("it answers", PATIENCE, || who(&cluster.target()).is_ok_and(|who| who.pid == pid));
        cluster.stop();
    }
}
