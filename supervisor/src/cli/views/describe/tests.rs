//! What a person reads of a cluster and of a worker.

use super::*;
use crate::api::Target;
use crate::cli::views::status::tests::inspection;

const NOW: u64 = 1_700_000_000_000;

fn described(inspection: Inspection, target: Target) -> String {
    let state = State::Runs(Box::new(inspection.clone()));
    let seen = Seen { label: "web".to_owned(), name: "web".to_owned(), target, state };
    text(&seen, &inspection, NOW)
}

#[test]
fn a_cluster_by_its_subjects() {
    let mut inspection = inspection();
    let launch = &mut inspection.launch;
    launch.options = [("workers", "3"), ("capture", "true"), ("env-file", "/a b")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    launch.version = Some(env!("CARGO_PKG_VERSION").to_owned());
    launch.thunk = Some("/lib/thunk.so".to_owned());
    launch.thunk_protocol = Some(2);
    launch.control = Some("/run/web.sock".to_owned());
    let text = described(inspection.clone(), Target::Cluster);
    let release = nix::sys::utsname::uname().unwrap().release().to_string_lossy().into_owned();
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        "\
web: running, pid 4711, up 1d01h, 1 of 3 workers running
command    node server.js
directory  /srv/web
options    --capture
           --env-file '/a b'
           --workers 3
versions   clustermon {version}
           library /lib/thunk.so, protocol 2
           Linux {release}
control    /run/web.sock
started    2023-11-13T21:13:20.000Z
addresses  127.0.0.1:8080: running, dispatch handoff, policy round-robin, 2 of 4096 wait, 3702 connections
restarts   9: 3 of worker 0, 3 of worker 1, 3 of worker blue
last ends  worker 1: code 3, up 12ms
"
    );
    assert_eq!(text, expected);
    inspection.launch.version = Some("0.0.1".to_owned());
    let text = described(inspection, Target::Cluster);
    assert!(text.contains(&format!("clustermon 0.0.1; this command line is of {version}")), "{text}");
}

#[test]
fn a_worker_by_its_subjects() {
    let mut inspection = inspection();
    inspection.workers.truncate(1);
    inspection.workers[0].last_exit = Some("code 1".to_owned());
    let text = described(inspection, Target::Worker("0".to_owned()));
    let expected = "\
web/0: running, pid 4712, up 1h02m
command      node server.js
started      2023-11-14T21:11:15.000Z
restarts     3
last end     code 1
serves       127.0.0.1:8080
connections  1234
";
    assert_eq!(text, expected);
}
