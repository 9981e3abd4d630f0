//! What comes of it when two workers' listens on one port differ: each row of docs/listening.md, tried. The workers are
//! python/listens.py, which listens as it is told for each logical id; worker 1 starts when worker 0 is ready.

use harness::{Cluster, Options, PATIENCE, Target, app_dir, get, interpreter, require, wait_until, who};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Starts both, and waits for the outcome of every listen.
#[track_caller]
fn start(first: Value, second: Value, flags: &str) -> Option<Cluster> {
    if !require("python3") {
        return None;
    }
    let count = [&first, &second].map(|listens| listens.as_array().expect("a list").len()).iter().sum();
    let listens = json!({"0": first, "1": second}).to_string();
    let program = app_dir().join("python/listens.py").into_os_string();
    let options = Options::workers(2).flags("--max-starting 1").flags(flags).env("LISTENS", listens);
    let cluster = Cluster::start_command(&[interpreter("python3"), program], options);
    cluster.stdout().wait_for_count(": ", count, PATIENCE);
    Some(cluster)
}

/// The outcomes of a worker's listens, in their order.
fn outcomes(cluster: &Cluster, id: &str) -> Vec<String> {
    let prefix = format!("{id}: ");
    let lines = cluster.stdout().lines_with(&prefix);
    lines.iter().filter_map(|line| Some(line.strip_prefix(&prefix)?.to_owned())).collect()
}

/// The same port on another host.
fn on(cluster: &Cluster, host: &str) -> Target {
    let Target::Tcp(address) = cluster.target() else { panic!("the test wants TCP") };
    Target::parse(&format!("{host}:{}", address.port())).expect("an address")
}

/// Who answers twelve connections to the host, and how often.
#[track_caller]
fn shares(cluster: &Cluster, host: &str) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..12 {
        *shares.entry(who(&on(cluster, host)).expect("an answer").id).or_default() += 1;
    }
    shares
}

#[track_caller]
fn only(cluster: &Cluster, host: &str, id: &str) {
    assert_eq!(shares(cluster, host), [(id.to_owned(), 12)].into(), "on {host}");
}

#[track_caller]
fn both(cluster: &Cluster, host: &str) {
    cluster.assert_even(2, || shares(cluster, host));
}

/// The addresses of the load balancers, in the order in which they were opened.
fn balancers(cluster: &Cluster) -> Vec<String> {
    let whole = cluster.inspect();
    let balancers = whole["load_balancers"].as_array().expect("a list").iter();
    balancers.map(|balancer| balancer["address"].as_str().expect("a word").to_owned()).collect()
}

/// An option of the listener and of an accepted connection, as each worker sees them.
#[track_caller]
fn options(cluster: &Cluster, name: &str) -> [String; 2] {
    // In turn: two connections reach two workers, but where one was not given a processor in time.
    [(); 2].map(|()| {
        let response = get(&on(cluster, "127.0.0.1"), &format!("/option?name={name}")).expect("an answer");
        response.text().trim_end().to_owned()
    })
}

#[test]
fn another_backlog_joins_and_the_first_one_counts() {
    let listen = |backlog: u32| json!([{"host": "127.0.0.1", "backlog": backlog}]);
    for (first, second) in [(16, 64), (64, 16)] {
        let Some(cluster) = start(listen(first), listen(second), "--backlog 8") else { return };
        both(&cluster, "127.0.0.1");
        let balancer = cluster.inspect()["load_balancers"][0].clone();
        assert_eq!(balancer["backlog"], first, "{balancer}");
        assert_eq!(balancers(&cluster).len(), 1);
        cluster.stop();
    }
}

#[test]
fn another_v6_only_makes_a_second_balancer() {
    let listen = |only: u32| json!([{"host": "::", "v6only": only}]);
    for (first, dual) in [(1, "1"), (0, "0")] {
        let Some(cluster) = start(listen(first), listen(1 - first), "-v") else { return };
        assert_eq!(balancers(&cluster).len(), 2);
        only(&cluster, "127.0.0.1", dual);
        // Which of the two has them is the kernel's affair; it does not share them out.
        let answered = shares(&cluster, "[::1]");
        assert_eq!(answered.len(), 1, "{answered:?}");
        cluster.stop();
    }
}

#[test]
fn reuse_port_of_the_programs_own_joins() {
    let listen = |reuse: bool| json!([{"host": "127.0.0.1", "reuseport": reuse}]);
    for (first, second) in [(true, true), (true, false), (false, true)] {
        let Some(cluster) = start(listen(first), listen(second), "-v") else { return };
        assert_eq!((outcomes(&cluster, "0"), outcomes(&cluster, "1")), (ok("127.0.0.1"), ok("127.0.0.1")));
        assert_eq!(balancers(&cluster).len(), 1);
        both(&cluster, "127.0.0.1");
        cluster.stop();
    }
}

fn ok(host: &str) -> Vec<String> {
    vec![format!("{host} ok")]
}

/// Each with a value that can be told from the default, and what a listener and a connection show then.
const OPTIONS: [(&str, u32, &str); 3] = [
    ("SO_KEEPALIVE", 1, "listener=1 connection=1"),
    // The kernel rounds up to a number of retransmissions: 1, 3, 7, 15 seconds.
    ("TCP_DEFER_ACCEPT", 5, "listener=7 connection=0"),
    ("TCP_FASTOPEN", 9, "listener=9 connection=0"),
];

fn set(key: &str) -> Value {
    let options: Vec<_> = OPTIONS.iter().map(|(name, value, _)| json!([name, value])).collect();
    json!([{"host": "127.0.0.1", key: options}])
}

fn plain() -> Value {
    json!([{"host": "127.0.0.1"}])
}

#[test]
fn options_of_the_first_before_listen_hold_for_all() {
    let Some(cluster) = start(set("before"), plain(), "-v") else { return };
    for (name, _, shown) in OPTIONS {
        assert_eq!(options(&cluster, name), [shown, shown], "{name}");
    }
    cluster.stop();
}

#[test]
fn options_of_a_later_one_before_listen_are_dropped() {
    let Some(cluster) = start(plain(), set("before"), "-v") else { return };
    assert_eq!(outcomes(&cluster, "1"), ok("127.0.0.1"));
    for (name, _, _) in OPTIONS {
        assert_eq!(options(&cluster, name), ["listener=0 connection=0"; 2], "{name}");
    }
    cluster.stop();
}

#[test]
fn options_after_listen_hold_for_all_whoever_sets_them() {
    for (first, second) in [(set("after"), plain()), (plain(), set("after"))] {
        let Some(cluster) = start(first, second, "-v") else { return };
        for (name, _, shown) in OPTIONS {
            wait_until("it is set", PATIENCE, || options(&cluster, name) == [shown, shown]);
        }
        cluster.stop();
    }
}

#[test]
fn an_ipv4_wildcard_beside_a_dual_stack_takes_ipv4() {
    let (dual, v4) = (json!([{"host": "::", "v6only": 0}]), json!([{"host": "0.0.0.0"}]));
    for (first, second, six, four) in [(&dual, &v4, "0", "1"), (&v4, &dual, "1", "0")] {
        let Some(cluster) = start(first.clone(), second.clone(), "-v") else { return };
        assert_eq!(balancers(&cluster).len(), 2);
        only(&cluster, "[::1]", six);
        only(&cluster, "127.0.0.1", four);
        cluster.stop();
    }
}

#[test]
fn one_wildcard_for_each_family_is_shared_twice() {
    let listens = json!([{"host": "0.0.0.0"}, {"host": "::", "v6only": 1}]);
    let Some(cluster) = start(listens.clone(), listens, "-v") else { return };
    both(&cluster, "127.0.0.1");
    both(&cluster, "[::1]");
    assert_eq!(balancers(&cluster).len(), 2);
    cluster.stop();
}

#[test]
fn a_host_beside_the_wildcard_takes_its_own() {
    let (wildcard, host) = (json!([{"host": "0.0.0.0"}]), json!([{"host": "127.0.0.1"}]));
    for (first, second, wild, own) in [(&wildcard, &host, "0", "1"), (&host, &wildcard, "1", "0")] {
        let Some(cluster) = start(first.clone(), second.clone(), "-v") else { return };
        only(&cluster, "127.0.0.1", own);
        only(&cluster, "127.0.0.2", wild);
        cluster.stop();
    }
}

#[test]
fn who_listens_twice_is_told_so() {
    let twice = json!([{"host": "127.0.0.1"}, {"host": "127.0.0.1"}]);
    let Some(cluster) = start(twice, plain(), "-v") else { return };
    assert_eq!(outcomes(&cluster, "0"), ["127.0.0.1 ok", "127.0.0.1 listen EADDRINUSE"]);
    cluster.log().wait_for(" twice");
    both(&cluster, "127.0.0.1");
    assert_eq!(cluster.log().count(" twice"), 1);
    cluster.stop();
}

#[test]
fn who_listens_twice_by_reuse_port_has_two_shares() {
    let one = json!({"host": "127.0.0.1", "reuseport": true});
    let Some(cluster) = start(json!([one, one]), json!([one]), "-v") else { return };
    assert_eq!(outcomes(&cluster, "0"), ["127.0.0.1 ok"; 2]);
    assert_eq!(shares(&cluster, "127.0.0.1"), [("0".to_owned(), 8), ("1".to_owned(), 4)].into());
    cluster.stop();
}

#[test]
fn the_document_names_a_test_in_each_row() {
    let (document, tests) = (include_str!("../../../docs/listening.md"), include_str!("listens_differ.rs"));
    let named: Vec<_> = document
        .lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(|line| line.rsplit('|').nth(1)?.trim().strip_prefix('`')?.strip_suffix('`'))
        .collect();
    for name in &named {
        assert!(tests.contains(&format!("fn {name}()")), "docs/listening.md names {name}, which is no test");
    }
    let existing: Vec<_> =
        tests.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
    for name in existing.iter().filter(|name| !name.starts_with("the_document")) {
        assert!(named.contains(name), "docs/listening.md has no row for {name}");
    }
}
