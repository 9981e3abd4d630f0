//! Programs that accept through io_uring pass the library by: they get nothing, and whoever reads the log is told why.

use harness::{Cluster, Conn, Native, Options, PATIENCE, c_program, require, wait_until};

#[test]
fn are_told_apart_from_programs_that_hang() {
    if !require("cc") {
        return;
    }
    let program = c_program("uring", &[]);
    let options = Options::workers(2).flags("--lag-limit 200ms").at_once();
    let cluster = Cluster::start_command(&[&program], options);
    wait_until("a worker has a ring or none", PATIENCE, || !cluster.stdout().text().is_empty());
    if cluster.stdout().text().contains("no ring") {
        eprintln!("skipped: there is no io_uring here");
        return;
    }
    let native = Native::start_command(vec![program.into()], &Options::default());
    let mut alone = Conn::open(native.target()).expect("it listens");
    assert_eq!(alone.line().expect("it accepts"), "by the ring");
    cluster.log().wait_for_count(" is ready", 2, PATIENCE);
    // One for each, and more.
    let waiting: Vec<_> = (0..4).map(|_| Conn::open(&cluster.target()).expect("it listens")).collect();
    cluster
        .log()
        .wait_for(" has taken no connection and has an io_uring: what a program accepts through io_uring");
    drop(waiting);
    // Without waiting for what nobody will take.
    cluster.stop_by(libc::SIGINT);
}
