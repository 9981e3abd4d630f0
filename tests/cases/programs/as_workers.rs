//! Every test program as a worker: it keeps its contract, every worker serves, and one that exits is replaced.

use harness::{Cluster, Listen, Options, Via, app, check_contract, each, open, require, wait_for_ids};

#[test]
fn keep_their_contract() {
    each(
        |_| true,
        |app| {
            let cluster = Cluster::start(&app, Options::workers(2));
            check_contract(&cluster.target(), &app);
            wait_for_ids(&cluster.target(), &app, 2);
            cluster.stop();
        },
    );
}

#[test]
fn are_replaced_when_they_exit() {
    each(
        |_| true,
        |app| {
            let mut cluster = Cluster::start(&app, Options::workers(2));
            let mut conn = open(&cluster.target(), &app);
            let leaver = conn.who().expect("an answer");
            assert!(conn.get("/exit?code=7").is_err(), "the process ends without an answer");
            cluster.log().wait_for(&format!("worker {} exited: code 7, up ", leaver.id));
            cluster.wait_ready(3);
            assert_ne!(cluster.started()[&leaver.id], leaver.pid);
            wait_for_ids(&cluster.target(), &app, 2);
            cluster.stop();
        },
    );
}

#[test]
fn work_behind_wrappers() {
    for via in [Via::ShellC, Via::Script, Via::Npm] {
        each(
            |app| app.name == "node-http" || (via != Via::Npm && app.name == "python-threads"),
            |app| {
                if via == Via::Npm && !require("npm") {
                    return;
                }
                let cluster = Cluster::start(&app, Options::workers(2).via(via));
                check_contract(&cluster.target(), &app);
                wait_for_ids(&cluster.target(), &app, 2);
                let who = open(&cluster.target(), &app).who().expect("an answer");
                assert_ne!(cluster.started()[&who.id], who.pid, "the wrapper is a process of its own");
                cluster.stop();
            },
        );
    }
}

#[test]
fn are_replaced_when_they_exit_behind_a_wrapper() {
    let Some(app) = app("node-http") else { return };
    for via in [Via::ShellC, Via::Script] {
        let mut cluster = Cluster::start(&app, Options::workers(2).via(via));
        let mut conn = open(&cluster.target(), &app);
        let leaver = conn.who().expect("an answer");
        assert!(conn.get("/exit?code=7").is_err(), "the process ends without an answer");
        cluster.log().wait_for(&format!("worker {} exited: code 7, up ", leaver.id));
        cluster.wait_ready(3);
        wait_for_ids(&cluster.target(), &app, 2);
        cluster.stop();
    }
}

#[test]
fn may_fork_after_they_listen() {
    let Some(app) = app("python-blocking") else { return };
    let prefork = harness::app_dir().join("python/prefork.py");
    let command = [harness::interpreter("python3"), prefork.into_os_string()];
    let cluster = Cluster::start_command(&command, Options::workers(2).listen(Listen::Host("127.0.0.1")));
    check_contract(&cluster.target(), &app);
    wait_for_ids(&cluster.target(), &app, 2);
    let parents = cluster.started();
    let children = harness::ask_in_turn(&cluster.target(), &app, 8);
    assert!(children.iter().all(|child| child.pid != parents[&child.id]), "only the children accept");
    cluster.stop();
}
