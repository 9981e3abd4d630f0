//! Programs that fork after they listen: each child gets a lane of its own at its first accept, is a member of the worker,
//! has its turn, and is in nobody's way when it hangs or dies.

use harness::{
    App, Cluster, Listen, Options, PATIENCE, Pid, Who, app, app_dir, ask_in_turn, interpreter, is_alive,
    open, pause, resume, shares, signal, wait_until,
};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Forks two children with code of its own after `blocking` has listened; the parent replaces those that end.
const PARENT: &str = "
import os, select, signal, sys
sys.path.insert(0, sys.argv[1])
import blocking
def fork():
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        CHILD
    return child
children = set()
def stop(*_):
    for child in children: os.kill(child, signal.SIGTERM)
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
BEFORE
children.update(fork() for _ in range(2))
while True:
    ended, _ = os.wait()
    children.discard(ended)
    children.add(fork())
";

/// A child that waits in accept().
const BLOCKS: &str = "blocking.main(blocking.accept)";

/// A child that waits in an epoll set of its own, and accepts only when it is told that something is there.
const WAITS: &str = "own = select.epoll(); own.register(blocking.listener)
        def accept():
            while True:
                try: return blocking.listener.accept()[0]
                except BlockingIOError: own.poll()
        own.poll(); blocking.main(accept)";

/// The same with a set that the parent made and all share.
const SHARES: &str = "
        def accept():
            while True:
                try: return blocking.listener.accept()[0]
                except BlockingIOError: own.poll()
        own.poll(); blocking.main(accept)";

fn start(workers: usize, child: &str, before: &str, flags: &str) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let script = PARENT.replace("CHILD", child).replace("BEFORE", before);
    let command: [OsString; 4] =
        [interpreter("python3"), "-c".into(), script.into(), app_dir().join("python").into_os_string()];
    let options = Options::workers(workers).listen(Listen::Host("127.0.0.1"));
    let options = if flags.is_empty() { options } else { options.flags(flags) };
    Some((Cluster::start_command(&command, options), app))
}

fn members(cluster: &Cluster, id: &str) -> BTreeSet<u64> {
    let worker = cluster.inspect_worker(id);
    worker["members"].as_array().expect("a list").iter().filter_map(|pid| pid.as_u64()).collect()
}

/// Waits until each worker has two children that accept.
fn wait_for_members(cluster: &Cluster, workers: usize) {
    for id in 0..workers {
        wait_until("both children are members", PATIENCE, || members(cluster, &id.to_string()).len() == 2);
    }
}

fn pids(answers: &[Who]) -> BTreeSet<Pid> {
    answers.iter().map(|who| who.pid).collect()
}

#[test]
fn each_child_has_its_turn_and_the_parent_none() {
    let Some((cluster, app)) = start(2, BLOCKS, "", "") else { return };
    wait_for_members(&cluster, 2);
    let parents = cluster.started();
    // One that is not back in its wait yet is passed over, and on a busy machine that takes a while.
    wait_until("each of the four has exactly its share", PATIENCE, || {
        let shares = shares(&ask_in_turn(&cluster.target(), &app, 20));
        for who in shares.keys() {
            assert_ne!(who.pid, parents[&who.id], "the parent only waits");
            assert!(members(&cluster, &who.id).contains(&u64::from(who.pid)), "{who:?}");
        }
        shares.len() == 4 && shares.values().all(|share| *share == 5)
    });
    cluster.stop();
}

#[test]
fn children_that_wait_for_something_to_accept_get_theirs_too() {
    let Some((cluster, app)) = start(2, WAITS, "blocking.listener.setblocking(False)", "-v") else { return };
    // A connection is what it takes for them to accept.
    wait_until("all children have answered", PATIENCE, || {
        pids(&ask_in_turn(&cluster.target(), &app, 8)).len() == 4
    });
    wait_for_members(&cluster, 2);
    wait_until_all_have_their_turn(&cluster, &app, 4);
    cluster.stop();
}

/// Each gets a lane of its own once two of them were seen to wait at once, which may take a few connections. Their order is
/// not looked at: on a loaded machine requests take long, and who is in one is passed over.
fn wait_until_all_have_their_turn(cluster: &Cluster, app: &App, children: usize) {
    wait_until("each has its turn", PATIENCE, || {
        let shares = shares(&ask_in_turn(&cluster.target(), app, 5 * children));
        shares.len() == children && cluster.log().count("has a lane of its own") == children
    });
}

#[test]
fn children_that_have_become_another_user_are_members_and_have_their_turn() {
    // SAFETY: asks for a number only.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: only root may become another user");
        return;
    }
    let child = format!("os.setgroups([]); os.setgid(65534); os.setuid(65534); {WAITS}");
    let Some((cluster, app)) = start(1, &child, "blocking.listener.setblocking(False)", "-v") else { return };
    wait_until("both children have answered", PATIENCE, || {
        pids(&ask_in_turn(&cluster.target(), &app, 4)).len() == 2
    });
    wait_for_members(&cluster, 1);
    wait_until_all_have_their_turn(&cluster, &app, 2);
    cluster.stop();
}

#[test]
fn one_is_ready_once_a_child_takes_a_connection() {
    let waits = "blocking.listener.setblocking(False)";
    for (child, before) in [(BLOCKS, ""), (WAITS, waits)] {
        for ready in ["tcp", "http:/"] {
            let flags = format!("--ready {ready}");
            let Some((cluster, app)) = start(2, child, before, &flags) else { return };
            assert_eq!(cluster.log().count("is not ready"), 0, "{ready}");
            ask_in_turn(&cluster.target(), &app, 4);
            cluster.stop();
        }
    }
}

#[test]
fn an_epoll_set_that_all_share_is_left_alone() {
    let before = "blocking.listener.setblocking(False)
own = select.epoll(); own.register(blocking.listener)";
    let Some((cluster, app)) = start(1, SHARES, before, "") else { return };
    let answers = ask_in_turn(&cluster.target(), &app, 40);
    let parent = cluster.started()["0"];
    assert!(answers.iter().all(|who| who.pid != parent), "{answers:?}");
    assert!(members(&cluster, "0").is_empty(), "what one changes in the set is changed for all");
    cluster.stop();
}

#[test]
fn one_that_dies_is_replaced_by_its_parent_and_nothing_is_lost() {
    let Some((cluster, app)) = start(1, BLOCKS, "", "") else { return };
    wait_for_members(&cluster, 1);
    let target = cluster.target();
    for _ in 0..5 {
        let victim = ask_in_turn(&target, &app, 1)[0].pid;
        signal(victim, libc::SIGKILL);
        // Until then it may accept what nobody will answer.
        wait_until("it is dead", PATIENCE, || !is_alive(victim));
        // Its lane may not have been closed yet: what is given to it comes back and goes to another.
        let answers = ask_in_turn(&target, &app, 6);
        assert!(answers.iter().all(|who| who.pid != victim), "{answers:?}");
        wait_until("another has come", PATIENCE, || {
            let members = members(&cluster, "0");
            members.len() == 2 && !members.contains(&(victim as u64))
        });
    }
    assert_eq!(cluster.log().count(" exited: "), 0, "the worker is its parent");
    assert_eq!(pids(&ask_in_turn(&target, &app, 6)).len(), 2);
    cluster.stop();
}

#[test]
fn one_that_hangs_is_passed_over_and_comes_back() {
    let flags = "--lag-limit 300ms --hang-limit 2s";
    let Some((cluster, app)) = start(1, BLOCKS, "", flags) else { return };
    wait_for_members(&cluster, 1);
    let target = cluster.target();
    let stopped = ask_in_turn(&target, &app, 1)[0].pid;
    pause(stopped);
    let answers = ask_in_turn(&target, &app, 10);
    assert!(answers.iter().all(|who| who.pid != stopped), "{answers:?}");
    resume(stopped);
    wait_until("it answers again", PATIENCE, || pids(&ask_in_turn(&target, &app, 2)).contains(&stopped));
    assert_eq!(cluster.log().count(" has hung "), 0, "the worker was well");
    cluster.stop();
}

#[test]
fn one_that_hangs_for_long_is_ended_and_its_parent_replaces_it() {
    let flags = "--lag-limit 300ms --hang-limit 2s";
    let Some((cluster, app)) = start(1, BLOCKS, "", flags) else { return };
    wait_for_members(&cluster, 1);
    let target = cluster.target();
    let parent = cluster.started()["0"];
    let stopped = ask_in_turn(&target, &app, 1)[0].pid;
    pause(stopped);
    // Somebody comes to wait for it.
    ask_in_turn(&target, &app, 4);
    cluster.log().wait_for("worker 0: one of its processes has hung for ");
    wait_until("its parent has replaced it", 2 * PATIENCE, || {
        let members = members(&cluster, "0");
        members.len() == 2 && !members.contains(&u64::from(stopped))
    });
    assert_eq!(pids(&ask_in_turn(&target, &app, 6)).len(), 2);
    assert_eq!((cluster.started()["0"], cluster.log().count(" exited: ")), (parent, 0));
    cluster.stop();
}

#[test]
fn a_kept_connection_survives_the_stop_of_the_others() {
    let Some((cluster, app)) = start(2, BLOCKS, "", "--idle-grace 200ms") else { return };
    wait_for_members(&cluster, 2);
    let target = cluster.target();
    let mut conn = open(&target, &app);
    let who = conn.who().expect("an answer");
    let other = if who.id == "0" { "1" } else { "0" };
    cluster.order(&format!("restart /{other} --wait"));
    assert_eq!(conn.who().expect("an answer").pid, who.pid);
    drop(conn);
    wait_for_members(&cluster, 2);
    cluster.stop();
}
