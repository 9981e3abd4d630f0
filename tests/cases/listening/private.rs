//! Which addresses are shared and which stay private to a process, and how the command line overrides it.

use harness::{App, Cluster, Conn, Options, Port, Target, app, app_dir, conn_to, get, interpreter};
use std::collections::BTreeSet;

/// python/ports.py, which has a second listener.
fn start(options: Options) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let command = [interpreter("python3"), app_dir().join("python/ports.py").into_os_string()];
    Some((Cluster::start_command(&command, options), app))
}

/// What each worker says of its second listener.
fn extras(cluster: &Cluster, app: &App, workers: usize) -> Vec<String> {
    let ask = |id: usize| {
        let mut conn = conn_to(&cluster.target(), app, &id.to_string());
        conn.get("/extra").expect("an answer").text().trim().to_owned()
    };
    (0..workers).map(ask).collect()
}

#[test]
fn a_loopback_port_zero_is_private() {
    let Some((cluster, app)) = start(Options::workers(3)) else { return };
    let extras: BTreeSet<_> = extras(&cluster, &app, 3).into_iter().collect();
    assert_eq!(extras.len(), 3, "each has its own: {extras:?}");
    for id in ["0", "1", "2"] {
        let mut conn = conn_to(&cluster.target(), &app, id);
        assert_eq!(conn.get("/self?n=1000").expect("an answer").text(), "1000\n");
    }
    cluster.stop();
}

#[test]
fn a_wildcard_port_zero_is_shared_by_the_order_of_calls() {
    // However long it takes to start.
    let options = Options::workers(3).flags("--listen-settle 1h").env("EXTRA_HOST", "0.0.0.0");
    let Some((cluster, app)) = start(options) else { return };
    let extras: BTreeSet<_> = extras(&cluster, &app, 3).into_iter().collect();
    assert_eq!(extras.len(), 1, "{extras:?}");
    cluster.stop();
}

#[test]
fn share_overrides() {
    let Some((cluster, app)) = start(Options::workers(3).flags("--share 127.0.0.1:0")) else { return };
    let extras: BTreeSet<_> = extras(&cluster, &app, 3).into_iter().collect();
    assert_eq!(extras.len(), 1, "{extras:?}");
    cluster.stop();
}

#[test]
fn private_overrides() {
    let port = Port::free();
    for rule in [format!("127.0.0.1:{}", port.number()), format!("*:{}", port.number())] {
        let options = Options::workers(2).env("EXTRA_PORT", port.number().to_string());
        let Some((cluster, app)) = start(options.flags(&format!("--private {rule}"))) else { return };
        let mut extras = extras(&cluster, &app, 2);
        extras.sort();
        let address = format!("127.0.0.1:{}", port.number());
        assert_eq!(extras, [address.as_str(), "in use"], "the second to bind finds it in use");
        let target = Target::parse(&address).expect("an address");
        let answers: BTreeSet<_> = (0..6).map(|_| line(&target)).collect();
        assert_eq!(answers.len(), 1, "only its holder answers: {answers:?}");
        cluster.stop();
    }
}

#[test]
fn a_second_fixed_port_is_shared() {
    let port = Port::free();
    let options = Options::workers(2).env("EXTRA_PORT", port.number().to_string());
    let Some((cluster, app)) = start(options) else { return };
    let address = format!("127.0.0.1:{}", port.number());
    assert_eq!(extras(&cluster, &app, 2), [address.as_str(), &address]);
    let target = Target::parse(&address).expect("an address");
    let answers: BTreeSet<_> = (0..6).map(|_| line(&target)).collect();
    assert_eq!(answers.len(), 2, "both answer: {answers:?}");
    assert_eq!(get(&cluster.target(), "/").expect("an answer").status, 200);
    cluster.stop();
}

fn line(target: &Target) -> String {
    Conn::open(target).and_then(|mut conn| conn.line()).expect("the second listener answers")
}
