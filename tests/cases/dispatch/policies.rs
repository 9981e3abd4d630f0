//! Whom a connection is given by each policy, how many a worker may have, and what becomes of connections while there is
//! no worker.

use harness::{
    App, Cluster, Conn, Options, PATIENCE, Pid, Target, app, fd_count, open, pause, resume, shares, signal,
    wait_for_ids, wait_until,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Kept connections, each with the id of its worker.
fn kept(target: &Target, app: &App, count: usize) -> Vec<(String, Conn)> {
    let one = |_| {
        let mut conn = open(target, app);
        (conn.who().expect("an answer").id, conn)
    };
    (0..count).map(one).collect()
}

fn tally<'a>(ids: impl Iterator<Item = &'a String>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    ids.for_each(|id| *counts.entry(id.as_str()).or_default() += 1);
    counts
}

/// How many open connections each worker has, as the supervisor has counted.
fn open_connections(cluster: &Cluster) -> Vec<Option<u64>> {
    let whole = cluster.inspect();
    let workers = whole["workers"].as_array().expect("a list").iter();
    workers.map(|worker| worker["open_connections"].as_u64()).collect()
}

/// Asks, without waiting for the answer. Who is refused may see that in the write.
fn asking(target: &Target) -> Conn {
    let mut conn = Conn::open(target).expect("the socket listens");
    let _ = conn.last_request("/");
    conn
}

/// The connection ends without a byte.
#[track_caller]
fn assert_refused(mut conn: Conn) {
    let kind = conn.response().expect_err("no answer is given").kind();
    assert!(matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset), "{kind}");
}

#[test]
fn least_connections_fills_up_those_with_fewer() {
    let Some(app) = app("c-epoll") else { return };
    for dispatch in ["handoff", "credit"] {
        let flags = format!("--policy least-connections --dispatch {dispatch}");
        let cluster = Cluster::start(&app, Options::workers(3).flags(&flags));
        let balancer = cluster.inspect()["load_balancers"][0].clone();
        assert_eq!(
            (&balancer["policy"], &balancer["dispatch"]),
            (&"least-connections".into(), &dispatch.into())
        );
        wait_until("those with fewer are filled up", PATIENCE, || {
            let late = cluster.late_turns();
            let wrong = is_filled_up(&cluster, &app);
            // By credit who has no processor within its turn is passed over.
            assert!(
                wrong.is_ok() || dispatch == "credit" && cluster.late_turns() > late,
                "{dispatch}: {wrong:?}"
            );
            wrong.is_ok()
        });
        cluster.stop();
    }
}

/// Connections that are held go to who has fewest; else who has how many.
fn is_filled_up(cluster: &Cluster, app: &App) -> Result<(), BTreeMap<String, usize>> {
    let target = cluster.target();
    // Before the first count nothing is told.
    let none = |open: &Option<u64>| open.is_none_or(|open| open == 0);
    wait_until("nobody has any", PATIENCE, || open_connections(cluster).iter().all(none));
    let expect = |conns: &[(String, Conn)], counts: &[(&str, usize)]| {
        let has = tally(conns.iter().map(|(id, _)| id));
        let has: BTreeMap<String, usize> =
            has.into_iter().map(|(id, count)| (id.to_string(), count)).collect();
        let even = counts.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect();
        if has == even { Ok(()) } else { Err(has) }
    };
    let mut held = kept(&target, app, 12);
    expect(&held, &[("0", 4), ("1", 4), ("2", 4)])?;
    held.retain(|(id, _)| id == "0");
    wait_until("the closed are no longer counted", PATIENCE, || {
        open_connections(cluster) == [Some(4), Some(0), Some(0)]
    });
    // Worker 0 has four.
    let more = kept(&target, app, 8);
    expect(&more, &[("1", 4), ("2", 4)])?;
    let rest = kept(&target, app, 3);
    expect(&rest, &[("0", 1), ("1", 1), ("2", 1)])
}

/// Who answers a connection from 127.0.0.`last`.
fn who_serves(target: &Target, last: u8) -> String {
    let mut conn = Conn::open_from(Ipv4Addr::new(127, 0, 0, last), target).expect("the socket listens");
    conn.last_request("/").expect("it is written");
    conn.response().and_then(|response| response.who()).expect("an answer").id
}

#[test]
fn source_hash_keeps_an_address_with_its_worker() {
    let Some(app) = app("c-epoll") else { return };
    let options = Options::workers(3).flags("--policy source-hash --min-uptime 1ms");
    let mut cluster = Cluster::start(&app, options);
    let target = cluster.target();
    let homes = || (2..32).map(|last| (last, who_serves(&target, last))).collect::<BTreeMap<_, _>>();
    let before = homes();
    assert_eq!(before.values().collect::<BTreeSet<_>>().len(), 3, "every worker has its share: {before:?}");
    assert_eq!(homes(), before);

    // Out of rotation: its addresses go to others, and only they.
    cluster.order("cordon /1");
    for (last, home) in homes() {
        assert_ne!(home, "1");
        assert!(before[&last] == "1" || before[&last] == home, "127.0.0.{last} moved without a reason");
    }
    cluster.order("uncordon /1");
    assert_eq!(homes(), before);

    // Another process of the same worker inherits them.
    signal(cluster.started()["1"], libc::SIGKILL);
    cluster.wait_ready(4);
    assert_eq!(homes(), before);
    cluster.stop();
}

#[test]
fn source_hash_spills_over_when_its_worker_is_full() {
    let Some(app) = app("c-epoll") else { return };
    let options = Options::workers(2).flags("--policy source-hash --window 2 --lag-limit off");
    let cluster = Cluster::start(&app, options);
    let target = cluster.target();
    let home = who_serves(&target, 9);
    let process = cluster.started()[&home];
    pause(process);
    let ask = |_| {
        let mut conn = Conn::open_from(Ipv4Addr::new(127, 0, 0, 9), &target).expect("the socket listens");
        conn.last_request("/").expect("it is written");
        conn
    };
    let mut conns: Vec<Conn> = (0..8).map(ask).collect();
    wait_until("all but two are answered by the other", PATIENCE, || {
        conns.iter().filter(|conn| conn.is_readable()).count() == 6
    });
    resume(process);
    let ids: Vec<String> = conns
        .iter_mut()
        .map(|conn| conn.response().and_then(|response| response.who()).expect("an answer").id)
        .collect();
    assert_eq!(ids.iter().filter(|id| **id == home).count(), 2, "{ids:?}");
    wait_until("the address is at home again", PATIENCE, || who_serves(&target, 9) == home);
    cluster.stop();
}

#[test]
fn max_connections_makes_the_rest_wait() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--max-connections 2"));
    let target = cluster.target();
    let mut held = kept(&target, &app, 4);
    assert_eq!(tally(held.iter().map(|(id, _)| id)), [("0", 2), ("1", 2)].into());
    let mut waiting: Vec<Conn> = (0..3)
        .map(|_| {
            let mut conn = Conn::open(&target).expect("the kernel takes it");
            conn.request("/").expect("it is written");
            conn
        })
        .collect();
    wait_until("they are counted", PATIENCE, || open_connections(&cluster) == [Some(2), Some(2)]);
    for _ in 0..5 {
        assert_eq!(open_connections(&cluster), [Some(2), Some(2)]);
        assert!(!waiting.iter().any(Conn::is_readable), "both are full");
    }
    while !waiting.is_empty() {
        let (id, closed) = held.remove(0);
        drop(closed);
        wait_until("one is served in the place of the closed one", PATIENCE, || {
            waiting.iter().any(Conn::is_readable)
        });
        let at = waiting.iter().position(Conn::is_readable).expect("the wait ended by it");
        let mut served = waiting.remove(at);
        let who = served.response().and_then(|response| response.who()).expect("an answer");
        assert_eq!(who.id, id, "the other is still full");
        held.push((id, served));
        assert!(!waiting.iter().any(Conn::is_readable), "both are full again");
    }
    cluster.stop();
}

#[test]
fn no_worker_ever_has_more_than_max_connections() {
    let Some(app) = app("python-threads") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--max-connections 3"));
    let target = cluster.target();
    wait_for_ids(&target, &app, 2);
    wait_until("its connections are counted as closed", PATIENCE, || {
        open_connections(&cluster) == [Some(0), Some(0)]
    });
    let workers: Vec<Pid> = cluster.started().into_values().collect();
    let idle = workers.iter().map(|pid| fd_count(*pid)).max().expect("two workers");
    let done = AtomicBool::new(false);
    let most = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(workers.iter().map(|pid| fd_count(*pid)).max().expect("two workers"));
            }
            most
        });
        let clients: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    (0..5).for_each(|_| {
                        harness::get(&target, "/slow?ms=10").expect("an answer");
                    });
                })
            })
            .collect();
        let failed = clients.into_iter().filter_map(|client| client.join().err()).count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(failed, 0, "every one of them is served in the end");
        watch.join().expect("it only counts")
    });
    assert!(most <= idle + 3, "a worker had {most} descriptors, {idle} without connections");
    assert!(most > idle, "nothing was seen of the connections");
    cluster.stop();
}

fn stop_all(cluster: &Cluster) {
    cluster.order("stop /0 --wait");
    cluster.order("stop /1 --wait");
}

#[test]
fn connections_are_held_until_a_worker_is_back() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--when-no-worker hold:60s"));
    let target = cluster.target();
    stop_all(&cluster);
    let mut waiting: Vec<Conn> = (0..5).map(|_| asking(&target)).collect();
    cluster.inspect();
    assert!(!waiting.iter().any(Conn::is_readable), "neither served nor refused");
    cluster.order("start /1 --wait");
    for conn in &mut waiting {
        assert_eq!(conn.response().and_then(|response| response.who()).expect("an answer").id, "1");
    }
    cluster.stop();
}

#[test]
fn connections_are_refused_when_no_worker_comes_in_time() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--when-no-worker hold:300ms"));
    let target = cluster.target();
    stop_all(&cluster);
    let held = asking(&target);
    assert_refused(held);
    cluster.log().wait_for("has had no worker for ");
    // From now on at once.
    for _ in 0..20 {
        assert_refused(asking(&target));
    }
    cluster.order("start /0 --wait");
    cluster.log().wait_for("has a worker again: connections are served");
    assert_eq!(shares(&harness::ask_in_turn(&target, &app, 5)).len(), 1);
    cluster.order("start --wait");
    wait_for_ids(&target, &app, 2);
    cluster.stop();
}

#[test]
fn connections_are_refused_at_once_where_that_is_wanted() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--when-no-worker refuse"));
    let target = cluster.target();
    cluster.order("stop /0 --wait");
    assert_eq!(shares(&harness::ask_in_turn(&target, &app, 5)).len(), 1, "one is enough");
    cluster.order("stop /1 --wait");
    assert_refused(asking(&target));
    cluster.order("start /1 --wait");
    assert_eq!(shares(&harness::ask_in_turn(&target, &app, 5)).len(), 1);
    cluster.stop();
}

#[test]
fn a_crash_loop_is_no_worker() {
    let Some(app) = app("c-epoll") else { return };
    let program = app.default_command()[0].display().to_string();
    // Serves once; from then on it crashes as long as the file is there.
    let script = format!("[ -e broken ] && exit 3; exec {program}");
    let flags = "--when-no-worker hold:300ms --restart-delay 1ms --max-restart-delay 50ms";
    let mut cluster = Cluster::start_command(&["sh", "-c", &script], Options::workers(1).flags(flags));
    let target = cluster.target();
    let broken = cluster.temp().path().join("broken");
    std::fs::write(&broken, "").expect("the directory is ours");
    signal(open(&target, &app).who().expect("an answer").pid, libc::SIGKILL);
    cluster.log().wait_for_count(" exited: code 3", 2, PATIENCE);
    assert_refused(asking(&target));
    cluster.log().wait_for_count(" exited: code 3", 5, PATIENCE);
    std::fs::remove_file(&broken).expect("it was made above");
    cluster.wait_ready(2);
    wait_until("it is served again", PATIENCE, || asking(&target).response().is_ok());
    cluster.stop();
}
