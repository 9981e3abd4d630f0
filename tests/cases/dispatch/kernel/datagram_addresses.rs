//! Which UDP sockets are shared and which are left to the kernel, and what becomes of an address that cannot be had.

use super::udp::{LEVELS, Served, WAYS, each};
use harness::{
    Cluster, Flow, Options, PATIENCE, Port, app_dir, c_program, cli, interpreter, require, signal, wait_until,
};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// It means to send to all, as DHCP servers do, and is none that should be one of many. But Go sets the option on every socket.
#[test]
fn an_option_for_broadcasts_says_something_where_it_is_not_the_languages_habit() {
    for (way, is_shared) in std::iter::zip(WAYS, [false, true]) {
        let broadcasts = |options: Options| options.env("BROADCAST", "1").flags(way);
        let change = |options| if is_shared { broadcasts(options) } else { broadcasts(options).at_once() };
        let Some(served) = Served::start(2, "program", change) else { return };
        if is_shared {
            wait_until("both answer", PATIENCE, || served.ids_of_new(10).len() == 2);
        } else {
            served.cluster.stdout().wait_for("bound 0");
            served.cluster.stdout().wait_for("in use");
        }
        served.cluster.stop();
    }
}

/// A socket of an address that no rule names is the program's alone, and the kernel binds it.
#[test]
fn other_addresses_are_left_to_the_kernel() {
    for way in WAYS {
        let other = Port::free();
        let port = other.number().to_string();
        let elsewhere = |options: Options| options.env("UDP_PORT", port).flags(way).at_once();
        let Some(served) = Served::start(2, "program", elsewhere) else { return };
        served.cluster.stdout().wait_for("bound 0");
        served.cluster.stdout().wait_for("in use");
        Flow::to(SocketAddr::new(served.host, other.number())).ask();
        served.cluster.stop();
    }
}

/// The supervisor reads the address, which the page that it lies in never lets it.
#[test]
fn an_address_that_never_comes_holds_up_nobody_but_its_program() {
    let program = c_program("lost_page", &[]).into_os_string();
    let flags =
        "--share udp:5353 --intercept seccomp --shutdown-timeout 50ms --min-uptime 1ms --restart-delay 1ms";
    let cluster = Cluster::start_command(&[program], Options::workers(2).flags(flags).at_once());
    wait_until("both bind", PATIENCE, || {
        let said = cluster.stdout();
        said.count("binds") >= 2 || said.count("no userfaultfd") > 0
    });
    if cluster.stdout().count("no userfaultfd") > 0 {
        eprintln!("skipped: this user may not have a userfaultfd");
        return;
    }
    cluster.log().wait_for_count(" started, pid ", 2, PATIENCE);
    // The supervisor answers, and replaces one that is killed, again and again.
    for _ in 0..10 {
        let victim = cluster.started()["0"];
        signal(victim, libc::SIGKILL);
        wait_until("there is another", PATIENCE, || cluster.started()["0"] != victim);
    }
    let threads = format!("/proc/{}/task", cluster.pid());
    wait_until("no thread waits for one that has ended", PATIENCE, || {
        std::fs::read_dir(&threads).expect("it lives").count() < 10
    });
    cluster.stop();
}

#[test]
fn somebody_elses_address_is_taken() {
    if !require("python3") {
        return;
    }
    let port = Port::free();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, port.number())).expect("it is free");
    let command = [interpreter("python3"), app_dir().join("python/datagrams.py").into_os_string()];
    let options = Options::workers(1).env("UDP_PORT", port.number().to_string()).at_once();
    let options = options.flags(&format!("--share udp:127.0.0.1:{}", port.number()));
    let cluster = Cluster::start_command(&command, options);
    cluster.stdout().wait_for("in use");
    drop(stranger);
    cluster.stop();
}

#[test]
fn what_is_no_address_is_refused_in_one_line() {
    for given in ["udp:/path", "udp:@name", "udp:", "udp:0", "udp:*:0", "udp:example.org:53", "udp:9-3"] {
        for option in ["--share", "--private"] {
            let said = cli(std::path::Path::new("/"), &format!("run {option} {given} -- true"));
            let line = said.refusal(2);
            assert!(line.contains(option) && line.contains(given) && line.contains("udp:53"), "{line}");
        }
    }
}

#[test]
fn a_program_that_binds_twice_means_it_only_if_it_has_said_so() {
    for (level, way) in each(&LEVELS) {
        let twice = |options: Options| options.env("SOCKETS", "2").flags(way);
        let Some(served) = Served::start(2, level, twice) else { continue };
        served.cluster.stdout().wait_for_count("in use", 2, PATIENCE);
        served.cluster.stdout().wait_for_count("bound 1", 2, PATIENCE);
        served.cluster.stop();
        let Some(served) = Served::start(2, level, |options| twice(options).env("REUSEPORT", "1")) else {
            continue;
        };
        served.cluster.stdout().wait_for_count("bound 1", 4, PATIENCE);
        wait_until("both answer", PATIENCE, || served.ids_of_new(10).len() == 2);
        served.cluster.stop();
    }
}

#[test]
fn without_being_asked_for_sockets_of_udp_are_left_alone() {
    if !require("python3") {
        return;
    }
    let port = Port::free();
    let command = [interpreter("python3"), app_dir().join("python/datagrams.py").into_os_string()];
    // A rule for TCP is none for UDP.
    let options = Options::workers(2).env("UDP_PORT", port.number().to_string()).at_once();
    let cluster = Cluster::start_command(&command, options.flags(&format!("--share *:{}", port.number())));
    cluster.stdout().wait_for("bound 0");
    cluster.stdout().wait_for("in use");
    let mut flow = Flow::to(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port.number()));
    flow.ask();
    assert_eq!(cluster.inspect()["load_balancers"], serde_json::json!([]));
    cluster.stop();
}
