//! Every test program keeps the contract when it runs alone: a failure here is the program's, not clustermon's.

use harness::{
    Listen, Native, Options, Via, app, check_contract, command, each, get, open, refused, require, wait_until,
};
use std::time::Duration;

#[test]
fn on_tcp() {
    each(|_| true, |app| check_contract(Native::start(&app, &Options::default()).target(), &app));
}

#[test]
fn on_port_zero() {
    let options = Options::default().listen(Listen::Zero("127.0.0.1"));
    each(|_| true, |app| check_contract(Native::start(&app, &options).target(), &app));
}

#[test]
fn on_ipv6() {
    let options = Options::default().listen(Listen::Host("::1"));
    each(|_| true, |app| check_contract(Native::start(&app, &options).target(), &app));
}

#[test]
fn on_unix_sockets() {
    for listen in [Listen::Path("s"), Listen::RelativePath("s")] {
        let options = Options::default().listen(listen);
        each(|app| app.unix, |app| check_contract(Native::start(&app, &options).target(), &app));
    }
    let options = Options::default().listen(Listen::Abstract);
    each(|app| app.abstract_names, |app| check_contract(Native::start(&app, &options).target(), &app));
}

#[test]
fn behind_wrappers() {
    for via in [Via::ShellC, Via::Script, Via::Npm] {
        if let (Some(app), true) = (app("node-http"), via != Via::Npm || require("npm")) {
            check_contract(Native::start(&app, &Options::default().via(via)).target(), &app);
        }
    }
}

#[test]
fn exits_with_the_code() {
    each(
        |_| true,
        |app| {
            let mut native = Native::start(&app, &Options::default());
            let mut conn = open(native.target(), &app);
            assert!(conn.get("/exit?code=7").is_err(), "the process ends without an answer");
            assert_eq!(native.wait_exit().code(), Some(7));
        },
    );
}

#[test]
fn closes_its_listener_and_listens_again() {
    for listen in [Listen::Host("127.0.0.1"), Listen::Zero("127.0.0.1")] {
        let options = Options::default().listen(listen);
        each(
            |app| app.relistens,
            |app| {
                let native = Native::start(&app, &options);
                let mut conn = open(native.target(), &app);
                command(&mut conn, "/close-listener");
                wait_until("connections are refused", Duration::from_secs(5), || refused(native.target()));
                conn.who().expect("the open connection lives on");
                command(&mut conn, "/listen-again");
                if !app.greets {
                    assert_eq!(get(native.target(), "/").expect("it listens").status, 200);
                }
            },
        );
    }
}
