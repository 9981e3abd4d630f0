//! A worker that harms the socket which all share: it shuts it down, or clears its O_NONBLOCK. Others are served all the same, and who
//! does it again is found out.

use harness::{
    App, Cluster, Load, Options, PATIENCE, app, app_dir, conn_to, interpreter, require, wait_for_ids,
    wait_until, who,
};
use std::collections::BTreeSet;
use std::ffi::OsString;

fn command() -> Vec<OsString> {
    vec![interpreter("python3"), app_dir().join("python/saboteur.py").into_os_string()]
}

fn start() -> Option<(Cluster, App)> {
    let app = app("python-threads").filter(|_| require("python3"))?;
    // One after the other, so that it is known in which order they get a new socket.
    let options = Options::workers(3).flags("--dispatch credit --max-starting 1 --server-restart-delay 20ms");
    let cluster = Cluster::start_command(&command(), options);
    wait_for_ids(&cluster.target(), &app, 3);
    Some((cluster, app))
}

/// What the worker answers on a connection of its own.
#[track_caller]
fn tell(cluster: &Cluster, app: &App, id: &str, page: &str) -> String {
    let mut conn = conn_to(&cluster.target(), app, id);
    conn.request(page).expect("it is written");
    conn.response().expect("an answer").text().trim_end().to_owned()
}

/// Clients come until it is so; one that comes while nobody listens is refused.
#[track_caller]
fn ask_until(cluster: &Cluster, what: &str, is_so: impl Fn() -> bool) {
    wait_until(what, PATIENCE, || {
        drop(who(&cluster.target()));
        is_so()
    });
}

fn is_open(cluster: &Cluster, times: usize) -> bool {
    cluster.log().count(" is open again") >= times
}

#[test]
fn who_shuts_it_down_again_is_named_and_does_not_get_it_any_more() {
    for (culprit, how) in [("0", "it alone had it, for"), ("1", "it was the last to get it")] {
        let Some((cluster, app)) = start() else { return };
        let workers = cluster.started();
        let mut kept = conn_to(&cluster.target(), &app, culprit);
        assert_eq!(tell(&cluster, &app, culprit, "/shut-always"), "yes");
        let named = format!("worker {culprit} has shut its socket down ({how}");
        ask_until(&cluster, "it is named", || cluster.log().count(&named) == 1);
        ask_until(&cluster, "it is open again", || is_open(&cluster, 2));
        // The others get the next one, and nobody shuts that down.
        for id in ["0", "1", "2"].iter().filter(|id| **id != culprit) {
            ask_until(&cluster, "another has it", || tell(&cluster, &app, id, "/has") == "yes");
        }
        let mut ids = BTreeSet::new();
        for _ in 0..60 {
            ids.insert(who(&cluster.target()).expect("nobody is refused").id);
        }
        assert_eq!(ids.len(), 3, "who is known for it is served by hand");
        assert_eq!(tell(&cluster, &app, culprit, "/has"), "no");
        assert_eq!(cluster.log().count("; opened again in "), 2, "{}", cluster.log().text());
        assert_eq!(cluster.log().count(" has shut its socket down"), 1);
        let balancer = cluster.inspect()["load_balancers"][0].clone();
        assert_eq!(balancer["dispatch"], "credit");
        assert!(balancer["dispatch_reason"].is_string(), "{balancer}");
        assert_eq!(kept.who().expect("an open connection is not touched").id, culprit);
        assert_eq!(cluster.started(), workers, "no worker was started anew");
        cluster.stop();
    }
}

#[test]
fn one_that_was_shut_down_once_is_given_to_all_again() {
    let Some((cluster, app)) = start() else { return };
    assert_eq!(tell(&cluster, &app, "2", "/shut"), "yes");
    ask_until(&cluster, "it is open again", || is_open(&cluster, 1));
    for id in ["0", "1", "2"] {
        ask_until(&cluster, "it has it", || tell(&cluster, &app, id, "/has") == "yes");
    }
    assert_eq!(cluster.log().count(" has shut its socket down"), 0);
    cluster.stop();
}

#[test]
fn clearing_its_o_nonblock_stops_nobody() {
    let Some((cluster, app)) = start() else { return };
    let load = Load::start(&cluster.target(), 4, "/");
    for round in 1..=5 {
        assert_eq!(tell(&cluster, &app, "1", "/clear?ms=0"), "yes");
        let goal = load.done() + 100;
        wait_until("requests go on", PATIENCE, || load.done() >= goal);
        assert_eq!(cluster.inspect()["state"], "running", "round {round}: the supervisor answers");
    }
    load.finish_unharmed();
    // Nobody waits in an accept that is not to wait: a kept connection of each is answered.
    let mut kept = ["0", "1", "2"].map(|id| conn_to(&cluster.target(), &app, id));
    assert_eq!(tell(&cluster, &app, "1", "/clear?ms=0"), "yes");
    for _ in 0..10 {
        for conn in &mut kept {
            conn.who().expect("an answer");
        }
    }
    cluster.stop();
}

/// One worker has no room for the shared socket: for that one the supervisor accepts, and may find that another was quicker. If it waits
/// then, because O_NONBLOCK was cleared after it had looked, the socket is given up.
#[test]
fn clearing_it_all_the_time_does_not_stop_the_supervisor() {
    let Some(app) = app("python-threads").filter(|_| require("python3")) else { return };
    let small = "if [ \"$PROCESS_LOGICAL_ID\" = 1 ]; then ulimit -n 16; fi; exec \"$0\" \"$@\"";
    let mut words: Vec<OsString> = vec!["sh".into(), "-c".into(), small.into()];
    words.extend(command());
    let options = Options::workers(2).flags("--dispatch credit --server-restart-delay 20ms");
    let cluster = Cluster::start_command(&words, options);
    wait_for_ids(&cluster.target(), &app, 2);
    assert_eq!(tell(&cluster, &app, "1", "/has"), "no");
    let mut conn = conn_to(&cluster.target(), &app, "0");
    conn.request("/clear?ms=1500").expect("it is written");
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("the attack is over", PATIENCE, || {
        cluster.inspect();
        conn.is_readable()
    });
    load.finish();
    ask_until(&cluster, "it goes on", || who(&cluster.target()).is_ok());
    wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}
