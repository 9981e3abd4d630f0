//! A worker closes its listener and lives on: it leaves the rotation, what waited for it goes to others, and it may
//! listen again.

use harness::{
    Cluster, Conn, Listen, Options, PATIENCE, app, ask_in_turn, command, conn_to, each, pause, refused,
    resume, wait_for_ids, wait_until, who,
};

#[test]
fn leaves_the_rotation_and_comes_back() {
    each(
        |app| app.relistens,
        |app| {
            let cluster = Cluster::start(&app, Options::workers(3));
            let mut conn = conn_to(&cluster.target(), &app, "1");
            let closer = conn.who().expect("an answer");
            command(&mut conn, "/close-listener");
            let answers = ask_in_turn(&cluster.target(), &app, 30);
            assert!(answers.iter().all(|who| who.id != "1"), "worker 1 does not listen any more");
            assert_eq!(conn.who().expect("the open connection lives on"), closer);
            command(&mut conn, "/listen-again");
            wait_for_ids(&cluster.target(), &app, 3);
            assert_eq!(cluster.log().count(" exited: "), 0);
            cluster.stop();
        },
    );
}

#[test]
fn may_do_so_again_and_again() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    let mut conn = conn_to(&cluster.target(), &app, "0");
    for _ in 0..20 {
        command(&mut conn, "/close-listener");
        ask_in_turn(&cluster.target(), &app, 3);
        command(&mut conn, "/listen-again");
    }
    wait_for_ids(&cluster.target(), &app, 2);
    let before = cluster.fd_count();
    for _ in 0..20 {
        command(&mut conn, "/close-listener");
        ask_in_turn(&cluster.target(), &app, 3);
        command(&mut conn, "/listen-again");
    }
    wait_for_ids(&cluster.target(), &app, 2);
    wait_until("the supervisor holds as many descriptors as before", PATIENCE, || {
        cluster.fd_count() <= before
    });
    cluster.stop();
}

#[test]
fn its_queue_goes_to_the_others() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--window 4 --lag-limit off"));
    let mut conn = conn_to(&cluster.target(), &app, "0");
    let closer = cluster.started()["0"];
    // Stopped, with the order to close already in its hands; what is given to it meanwhile waits in its lane.
    pause(closer);
    conn.request("/close-listener").expect("the kernel takes it");
    let ask = |_| {
        let mut conn = Conn::open(&cluster.target()).expect("the cluster listens");
        conn.last_request("/").expect("the kernel takes it");
        conn
    };
    let mut waiting: Vec<Conn> = (0..12).map(ask).collect();
    wait_until("the other answers its share", PATIENCE, || {
        waiting.iter().filter(|conn| !conn.is_readable()).count() <= 4
    });
    resume(closer);
    for conn in &mut waiting {
        conn.response().expect("nothing that was queued is lost").who().expect("a pid");
    }
    conn.response().expect("the answer to /close-listener");
    assert!(ask_in_turn(&cluster.target(), &app, 10).iter().all(|who| who.id == "1"));
    cluster.stop();
}

#[test]
fn when_the_last_closes_connections_are_refused() {
    for listen in [Listen::Host("127.0.0.1"), Listen::Zero("0.0.0.0")] {
        let Some(app) = app("node-http") else { return };
        let cluster = Cluster::start(&app, Options::workers(2).listen(listen));
        let mut conns = ["0", "1"].map(|id| conn_to(&cluster.target(), &app, id));
        let mut close = |id: usize| command(&mut conns[id], "/close-listener");
        close(0);
        close(1);
        wait_until("connections are refused", PATIENCE, || refused(&cluster.target()));
        command(&mut conns[0], "/listen-again");
        assert_eq!(who(&cluster.target()).expect("worker 0 listens again").id, "0");
        command(&mut conns[1], "/listen-again");
        wait_for_ids(&cluster.target(), &app, 2);
        cluster.stop();
    }
}
