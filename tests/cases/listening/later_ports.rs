//! Ports that a program opens for one client while it serves: they lead to that very worker, never to another.

use harness::{App, Cluster, Conn, Listen, Options, PATIENCE, Target, app, app_dir, interpreter, wait_until};

/// python/sessions.py.
fn start(options: Options) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let command = [interpreter("python3"), app_dir().join("python/sessions.py").into_os_string()];
    Some((Cluster::start_command(&command, options.listen(Listen::Host("127.0.0.1"))), app))
}

/// Opens a session by these words; the port, and how often it was the session's own process that answered there.
#[track_caller]
fn session(conn: &mut Conn, words: &str) -> (String, bool) {
    conn.write(format!("{words}\n").as_bytes()).expect("the kernel takes it");
    let told = conn.line().expect("a port");
    let (who, port) = told.trim().rsplit_once(" port=").expect("a port");
    let target = Target::parse(&format!("127.0.0.1:{port}")).expect("an address");
    let answer = Conn::open(&target).and_then(|mut data| data.line()).expect("somebody answers there");
    (port.to_owned(), answer.trim() == who)
}

/// Many sessions on several connections, so that each worker has some.
#[track_caller]
fn all_are_their_own(cluster: &Cluster, words: &str) {
    for _ in 0..4 {
        let mut conn = Conn::open(&cluster.target()).expect("the cluster listens");
        for _ in 0..4 {
            let (port, own) = session(&mut conn, words);
            assert!(own, "{words:?}: another worker answered at port {port}");
        }
    }
}

#[test]
fn lead_to_the_worker_that_opened_them_and_that_is_said_once() {
    let Some((cluster, _)) = start(Options::workers(2)) else { return };
    for words in ["", "named", "reuse", "named reuse"] {
        all_are_their_own(&cluster, words);
    }
    let told = cluster.log().lines_with(" such ports are its own and not shared");
    assert_eq!(told.len(), 2, "once for each worker: {told:?}");
    assert!(told.iter().all(|line| line.contains("--share '0.0.0.0:0'")), "{told:?}");
    cluster.stop();
}

#[test]
fn what_is_opened_as_the_program_starts_is_shared_as_before() {
    // However long it takes to start.
    let options = Options::workers(2).flags("--listen-settle 1h").env("TWICE", "1");
    let Some((cluster, _)) = start(options) else { return };
    cluster.log().wait_for_count(" listens on ", 6, PATIENCE);
    assert_eq!(cluster.addresses().len(), 3, "{:?}", cluster.addresses());
    all_are_their_own(&cluster, "");
    assert_eq!(cluster.addresses().len(), 3, "{:?}", cluster.addresses());
    cluster.stop();
}

#[test]
fn are_shared_if_the_user_says_so() {
    let Some((cluster, _)) = start(Options::workers(1).flags("--share *:0")) else { return };
    let mut conn = Conn::open(&cluster.target()).expect("the cluster listens");
    let (port, _) = session(&mut conn, "");
    wait_until("it is the cluster's", PATIENCE, || cluster.addresses().contains(&format!("0.0.0.0:{port}")));
    cluster.stop();
}

#[test]
fn in_a_range_are_private_by_a_rule() {
    // The ports that tests listen on lie below, those that the system gives out above.
    let flags = "--private 127.0.0.1:30000-65535";
    let Some((cluster, _)) = start(Options::workers(2).flags(flags)) else { return };
    all_are_their_own(&cluster, "free");
    assert_eq!(cluster.addresses().len(), 1, "{:?}", cluster.addresses());
    cluster.stop();
}
