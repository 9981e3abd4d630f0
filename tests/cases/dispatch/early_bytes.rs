//! Bytes that are sent before the worker has accepted, by either side: none is lost.

use harness::{Cluster, Conn, Listen, Options, app, each, open, pause, resume, signal};

const BODY: usize = 20_000;

fn body(seed: usize) -> Vec<u8> {
    (0..BODY).map(|index| (index * 31 + seed) as u8).collect()
}

/// A whole request, the server being asked to close.
fn request(seed: usize) -> Vec<u8> {
    let head =
        format!("POST /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {BODY}\r\n\r\n");
    [head.into_bytes(), body(seed)].concat()
}

fn check(conn: &mut Conn, seed: usize, greets: bool) {
    if greets {
        let greeting = conn.line().expect("the greeting comes first");
        assert!(greeting.starts_with("hello pid="), "{greeting:?}");
    }
    let response = conn.response().unwrap_or_else(|error| panic!("connection {seed}: {error}"));
    assert!(response.body == body(seed), "connection {seed}: other bytes came back");
    assert!(conn.at_end(), "nothing comes after the answer");
}

#[test]
fn a_request_written_before_the_accept_arrives_whole() {
    for listen in [Listen::Host("127.0.0.1"), Listen::Path("a.sock")] {
        each(
            |app| app.unix || matches!(listen, Listen::Host(_)),
            |app| {
                let cluster =
                    Cluster::start(&app, Options::workers(2).flags("--lag-limit off").listen(listen));
                let workers: Vec<_> = cluster.started().into_values().collect();
                workers.iter().for_each(|pid| pause(*pid));
                let write = |seed| {
                    let mut conn = Conn::open(&cluster.target()).expect("the kernel takes the connection");
                    conn.write(&request(seed)).expect("the kernel takes the bytes");
                    conn
                };
                let mut conns: Vec<_> = (0..12).map(write).collect();
                workers.iter().for_each(|pid| resume(*pid));
                conns.iter_mut().enumerate().for_each(|(seed, conn)| check(conn, seed, app.greets));
                cluster.stop();
            },
        );
    }
}

#[test]
fn a_client_that_has_ended_its_side_is_answered() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--lag-limit off"));
    let workers: Vec<_> = cluster.started().into_values().collect();
    workers.iter().for_each(|pid| pause(*pid));
    let mut conn = Conn::open(&cluster.target()).expect("the kernel takes the connection");
    conn.write(&request(7)).and_then(|()| conn.end_writing()).expect("the kernel takes the bytes");
    workers.iter().for_each(|pid| resume(*pid));
    check(&mut conn, 7, false);
    cluster.stop();
}

#[test]
fn a_server_that_writes_first_is_heard() {
    let Some(app) = app("node-hello-first") else { return };
    let cluster = Cluster::start(&app, Options::workers(3));
    for _ in 0..50 {
        let mut conn = Conn::open(&cluster.target()).expect("the cluster listens");
        let greeting = conn.line().expect("it writes without being asked");
        assert_eq!(greeting, format!("hello {}", conn.get("/").expect("an answer").text().trim()));
    }
    cluster.stop();
}

#[test]
fn a_request_that_waits_through_a_death_arrives_whole() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--lag-limit off --window 4"));
    let workers = cluster.started();
    workers.values().for_each(|pid| pause(*pid));
    let write = |seed| {
        let mut conn = Conn::open(&cluster.target()).expect("the kernel takes the connection");
        conn.write(&request(seed)).expect("the kernel takes the bytes");
        conn
    };
    let mut conns: Vec<_> = (0..12).map(write).collect();
    signal(workers["0"], libc::SIGKILL);
    resume(workers["1"]);
    conns.iter_mut().enumerate().for_each(|(seed, conn)| check(conn, seed, false));
    open(&cluster.target(), &app).who().expect("an answer");
    cluster.stop();
}
