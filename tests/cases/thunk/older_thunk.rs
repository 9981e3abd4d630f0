//! A worker whose thunk is a version older than the supervisor is served like any other.

use harness::{Cluster, Listen, Options, app, ask_in_turn, shares};

#[test]
fn is_served() {
    let Some(app) = app("python-blocking") else { return };
    let older = harness::app_dir().join("python/older_thunk.py");
    let command = [harness::interpreter("python3"), older.into_os_string()];
    let cluster = Cluster::start_command(&command, Options::workers(2).listen(Listen::Host("127.0.0.1")));
    cluster.assert_even(2, || shares(&ask_in_turn(&cluster.target(), &app, 20)));
    cluster.stop();
}
