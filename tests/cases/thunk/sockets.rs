//! Every call on a listening socket behaves in a worker as it does alone: apps/c/sockets.c checks them one by one.

use harness::{
    Cluster, Listen, Native, Options, PATIENCE, app, c_program, check_contract, each, require, thunk,
};

const PLACES: [Listen; 4] =
    [Listen::Host("127.0.0.1"), Listen::Host("::1"), Listen::Path("a.sock"), Listen::Abstract];

const PASSED: &str = "sockets: 0 of ";

#[test]
fn keep_their_promises_alone() {
    if !require("cc") {
        return;
    }
    for listen in PLACES {
        let command = vec![c_program("sockets", &[]).into()];
        let told = Native::run_for_stdout(command, &Options::default().listen(listen));
        assert!(told.contains(PASSED), "{listen:?}:\n{told}");
    }
}

#[test]
fn keep_their_promises_in_a_worker() {
    if !require("cc") {
        return;
    }
    for listen in PLACES {
        let options = Options::workers(1).listen(listen).flags("--respawn 0").env("VERBOSE", "1").at_once();
        let mut cluster = Cluster::start_command(&[c_program("sockets", &[])], options);
        cluster.log().wait_for_count("worker 0 exited: ", 1, PATIENCE);
        cluster.wait_exit();
        assert!(cluster.addresses().len() == 1, "it was no worker:\n{}", cluster.log().text());
        let told = cluster.stdout().text();
        assert!(told.contains(PASSED), "{listen:?}:\n{told}");
    }
}

#[test]
fn keep_their_promises_without_a_supervisor() {
    if !require("cc") {
        return;
    }
    for (name, value) in [("CLUSTERMON_SOCKET", "clustermon-test-nobody-listens"), ("UNRELATED", "1")] {
        for listen in PLACES {
            let options = Options::default().listen(listen).env("LD_PRELOAD", thunk()).env(name, value);
            let command = vec![c_program("sockets", &[]).into()];
            let told = Native::run_for_stdout(
                command,
                &options.env("CLUSTERMON_TOKEN", "0".repeat(32)).env("CLUSTERMON_SUPERVISOR", "1:0:1:1"),
            );
            assert!(told.contains(PASSED), "{listen:?}, {name}:\n{told}");
        }
    }
}

#[test]
fn programs_serve_with_the_thunk_and_without_a_supervisor() {
    let options = Options::default().env("LD_PRELOAD", thunk());
    let orphan = options
        .clone()
        .env("CLUSTERMON_SOCKET", "clustermon-test-nobody-listens")
        .env("CLUSTERMON_SUPERVISOR", "1:0:1:1")
        .env("CLUSTERMON_TOKEN", "0".repeat(32));
    for options in [options, orphan] {
        each(|_| true, |app| check_contract(Native::start(&app, &options).target(), &app));
    }
}

/// The second worker finds the path taken: its bind succeeds in name only.
#[test]
fn a_bind_that_succeeds_leaves_errno_alone() {
    if !require("cc") {
        return;
    }
    for listen in [Listen::Path("a.sock"), Listen::Abstract, Listen::Host("127.0.0.1")] {
        let options = Options::workers(2).listen(listen);
        let cluster = Cluster::start_command(&[c_program("bind_errno", &[])], options);
        cluster.stdout().wait_for_count("errno 77", 2, PATIENCE);
        cluster.stop();
    }
}

#[test]
fn options_set_before_listen_survive() {
    let Some(app) = app("node-net") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--backlog 1234"));
    let port = cluster.target().to_string().rsplit(':').next().map(str::to_owned).expect("TCP");
    if require("ss") {
        let output = std::process::Command::new("ss").args(["-Hltn", &format!("sport = :{port}")]).output();
        let told = String::from_utf8(output.expect("it is installed").stdout).expect("plain text");
        let backlogs: Vec<_> = told.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
        assert_eq!(backlogs, ["1234"], "one listener, with the longer of both queues:\n{told}");
    }
    cluster.stop();
}
