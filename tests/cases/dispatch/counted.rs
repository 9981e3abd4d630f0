//! Workers that accept by themselves where their connections are counted: under a burst no worker ever has more than it may, who is full
//! gets the next as soon as one of its connections ends, and connections that are held unevenly are levelled.

use harness::{App, Cluster, Conn, Options, PATIENCE, Target, app, each, wait_for_ids, wait_until};
use std::collections::{BTreeMap, VecDeque};

/// Greedy loops on epoll, level- and edge-triggered, one accept a wake-up, and blocking threads.
fn shapes(app: &App) -> bool {
    matches!(
        app.name,
        "c-epoll" | "c-epoll-et" | "node-http" | "python-asyncio" | "python-threads" | "rust-tokio"
    )
}

/// So many clients that have asked, without waiting for the answers.
fn burst(target: &Target, count: usize) -> Vec<Conn> {
    let ask = |_| {
        let mut conn = Conn::open(target).expect("the socket listens");
        conn.request("/").expect("it is written");
        conn
    };
    (0..count).map(ask).collect()
}

/// Takes out those that have been answered, with the ids of their workers.
fn answered(waiting: &mut Vec<Conn>) -> Vec<(String, Conn)> {
    let served: Vec<Conn> = waiting.extract_if(.., |conn| conn.is_readable()).collect();
    let who = |mut conn: Conn| {
        let who = conn.response().and_then(|response| response.who()).expect("an answer");
        (who.id, conn)
    };
    served.into_iter().map(who).collect()
}

/// A burst, all of which are held once they have been answered.
fn serve_all(target: &Target, count: usize, held: &mut Vec<(String, Conn)>) {
    let mut waiting = burst(target, count);
    wait_until("all are served", PATIENCE, || {
        held.append(&mut answered(&mut waiting));
        waiting.is_empty()
    });
}

fn dispatch(cluster: &Cluster) -> String {
    let inspection = cluster.inspect();
    inspection["load_balancers"][0]["dispatch"].as_str().expect("it is told").to_owned()
}

#[test]
fn no_burst_exceeds_the_limit_of_a_worker() {
    each(shapes, |app| {
        let (most, clients) = (8, 200);
        let flags = format!("--dispatch credit --max-connections {most}");
        let cluster = Cluster::start(&app, Options::workers(2).flags(&flags));
        wait_for_ids(&cluster.target(), &app, 2);
        assert_eq!(dispatch(&cluster), "credit");
        let mut waiting = burst(&cluster.target(), clients);
        let mut held: VecDeque<(String, Conn)> = VecDeque::new();
        let mut has: BTreeMap<String, usize> = BTreeMap::new();
        let mut reached = 0;
        while !waiting.is_empty() {
            // As many as may be are held, and then some go: one, or all at once.
            wait_until("all workers have as many as they may", PATIENCE, || {
                for (id, conn) in answered(&mut waiting) {
                    *has.entry(id.clone()).or_default() += 1;
                    held.push_back((id, conn));
                }
                let all = has.values().sum::<usize>();
                assert!(has.values().all(|count| *count <= most), "{}: {has:?}", app.name);
                all == 2 * most || waiting.is_empty()
            });
            reached += usize::from(has.values().all(|count| *count == most));
            for _ in 0..[1, most, 2 * most][waiting.len() % 3] {
                let Some((id, conn)) = held.pop_front() else { break };
                drop(conn);
                *has.entry(id).or_default() -= 1;
            }
        }
        assert!(reached > 10, "{}: the limit was reached {reached} times", app.name);
        cluster.stop();
    });
}

#[test]
fn who_is_full_gets_the_next_as_soon_as_one_ends() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1).flags("--max-connections 2"));
    let target = cluster.target();
    // A server that tells how long it takes on this machine at this moment.
    let other = Cluster::start(&app, Options::workers(1));
    let mut clock = Conn::open(&other.target()).expect("the socket listens");
    let mut held = burst(&target, 2);
    // Counts alone, of which there is one each 640 ms by then, would be first once in six times.
    let mut is_first = || {
        for conn in &mut held {
            conn.response().expect("an answer");
            conn.request("/slow?ms=700").expect("it is written");
        }
        let mut waiting = burst(&target, 1);
        wait_until("both are answered", PATIENCE, || held.iter().all(Conn::is_readable));
        assert!(!waiting[0].is_readable(), "the worker is full");
        clock.request("/slow?ms=100").expect("it is written");
        drop(held.remove(0));
        wait_until("one is answered", PATIENCE, || waiting[0].is_readable() || clock.is_readable());
        let is_first = waiting[0].is_readable();
        clock.response().expect("an answer");
        held.append(&mut waiting);
        is_first
    };
    wait_until("five in a row come before a request of 100 ms is answered", 2 * PATIENCE, || {
        (0..5).all(|_| is_first())
    });
    cluster.stop();
    other.stop();
}

#[test]
fn what_is_held_unevenly_is_levelled() {
    let Some(app) = app("c-epoll") else { return };
    let flags = "--dispatch credit --policy least-connections";
    let cluster = Cluster::start(&app, Options::workers(3).flags(flags));
    let target = cluster.target();
    wait_for_ids(&target, &app, 3);
    assert_eq!(dispatch(&cluster), "credit");
    let mut held = Vec::new();
    wait_until("others come as far as the one that has most", PATIENCE, || {
        // One has twenty, and the others nothing.
        held.clear();
        cluster.order("cordon /1");
        cluster.order("cordon /2");
        serve_all(&target, 20, &mut held);
        cluster.order("uncordon /1");
        cluster.order("uncordon /2");
        wait_until("the closed are no longer counted", PATIENCE, || {
            let whole = cluster.inspect();
            let open = |worker: usize| whole["workers"][worker]["open_connections"].as_u64();
            [0, 1, 2].map(open) == [Some(20), Some(0), Some(0)]
        });
        let late = cluster.late_turns();
        serve_all(&target, 40, &mut held);
        let has = ["0", "1", "2"].map(|worker| held.iter().filter(|(id, _)| id == worker).count());
        // By turns it would have 33. Who has no processor in time is passed over.
        let even = has[0] <= 24;
        assert!(even || cluster.late_turns() > late, "{has:?}");
        even
    });
    cluster.stop();
}
