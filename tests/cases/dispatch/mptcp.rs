//! Listeners by MPTCP, of programs with the library: they are shared as those by TCP, since the kernel tells how many wait there and
//! their connections come to accept() in the same way.

use harness::{
    App, Cluster, Load, Options, PATIENCE, Target, app, ask_in_turn, command, conn_to, has_mptcp,
    interpreter, require, shares, signal, wait_for_ids,
};

fn start(options: Options) -> Option<(Cluster, App)> {
    let app = app("c-epoll").filter(|_| has_mptcp())?;
    let cluster = Cluster::start(&app, options.env("MPTCP", "1"));
    Some((cluster, app))
}

/// Somebody listens there by MPTCP, which has a table of its own.
fn listens_by_mptcp(target: &Target) -> bool {
    let Target::Tcp(address) = target else { return false };
    let port = format!(":{} ", address.port());
    let listed = std::process::Command::new("ss").args(["-HlntM"]).output().expect("it runs");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed.lines().any(|line| line.starts_with("mptcp") && line.contains(&port))
}

#[test]
fn they_go_round_on_credit_and_stay_what_they_are() {
    let Some((cluster, app)) = start(Options::workers(3)) else { return };
    cluster.assert_even(3, || shares(&ask_in_turn(&cluster.target(), &app, 99)));
    assert_eq!(cluster.inspect()["load_balancers"][0]["dispatch"], "credit");
    if require("ss") {
        assert!(listens_by_mptcp(&cluster.target()));
    }
    cluster.stop();
}

#[test]
fn no_request_fails_while_workers_are_replaced_and_scaled() {
    let flags = "--min-healthy-time 50ms --idle-grace 300ms";
    let Some((cluster, app)) = start(Options::workers(2).flags(flags)) else { return };
    let load = Load::start(&cluster.target(), 4, "/");
    for order in ["reload --wait", "scale 4 --wait", "scale 2 --wait", "reload --wait"] {
        cluster.order(order);
    }
    load.finish_unharmed();
    wait_for_ids(&cluster.target(), &app, 2);
    let load = Load::start(&cluster.target(), 4, "/");
    cluster.order("cordon /0");
    signal(cluster.started()["0"], libc::SIGKILL);
    cluster.log().wait_for(" exited: signal SIGKILL");
    load.finish_unharmed();
    cluster.stop();
}

/// A listener that is made anew in the place of one that its worker may still have is one of MPTCP as well.
#[test]
fn one_that_closes_its_listener_and_listens_again_comes_back() {
    let Some((cluster, app)) = start(Options::workers(2)) else { return };
    for closer in ["0", "1"] {
        let mut conn = conn_to(&cluster.target(), &app, closer);
        command(&mut conn, "/close-listener");
        let answers = ask_in_turn(&cluster.target(), &app, 10);
        assert!(answers.iter().all(|who| who.id != closer), "worker {closer} does not listen any more");
        command(&mut conn, "/listen-again");
        wait_for_ids(&cluster.target(), &app, 2);
    }
    if require("ss") {
        assert!(listens_by_mptcp(&cluster.target()));
    }
    cluster.stop();
}

/// Libraries that come by a socket ask it what it is.
#[test]
fn a_listener_says_that_it_is_of_mptcp() {
    if !has_mptcp() || !require("python3") {
        return;
    }
    let program = "import os, socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); \
                   s.bind(('127.0.0.1', int(os.environ['PORT']))); s.listen(); \
                   print('protocol', s.getsockopt(socket.SOL_SOCKET, 38), flush=True); time.sleep(1000)";
    let command = [interpreter("python3"), "-c".into(), program.into()];
    let cluster = Cluster::start_command(&command, Options::workers(2));
    cluster.stdout().wait_for_count("protocol 262", 2, PATIENCE);
    cluster.stop();
}
