//! Reloads to versions that differ: broken ones, which must change nothing and say why, one that others take the place
//! of, and one that listens elsewhere.

use harness::{
    Cluster, Deployment, Load, Options, PATIENCE, Port, RawControl, Target, app, ask_in_turn, refused,
    wait_for, wait_until, who,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

const SOON: &str = "--name web --min-healthy-time 50ms --idle-grace 100ms";

/// A script that becomes a server which calls itself by its logical id and the version.
fn server(version: &str) -> Option<String> {
    let program = app("c-epoll")?.default_command()[0].display().to_string();
    Some(format!("PROCESS_LOGICAL_ID=$PROCESS_LOGICAL_ID-{version} exec {program}\n"))
}

/// Who answers, once each of two workers has.
#[track_caller]
fn names(cluster: &Cluster) -> BTreeSet<String> {
    let app = app("c-epoll").expect("it runs");
    let mut seen = BTreeSet::new();
    wait_until("two workers answer", PATIENCE, || {
        seen.extend(ask_in_turn(&cluster.target(), &app, 4).into_iter().map(|who| who.id));
        seen.len() >= 2
    });
    seen
}

/// A follower of what happens in the cluster, from now on.
fn follow(cluster: &Cluster) -> RawControl {
    let mut control = RawControl::open(&cluster.runtime_dir().join("web.sock"));
    control.say(b"{\"v\":1,\"do\":\"events\"}\n");
    assert!(control.hear().contains("\"ok\":true"));
    control
}

/// The next event of the kind.
#[track_caller]
fn next(events: &mut RawControl, kind: &str) -> Value {
    wait_for("the event comes", PATIENCE, || {
        let event: Value = serde_json::from_str(&events.hear()).expect("events are JSON");
        (event["event"] == kind).then_some(event)
    })
}

/// In how many ways a version can fail, and what is said of it.
const BROKEN: [(&str, &str); 3] = [
    ("printf 'first\\nthe reason' >&2; exit 7\n", "the new worker 0 exited: code 7"),
    ("echo 'the reason' >&2; exec sleep 1000\n", "the new worker 0 was not ready within "),
    ("echo 'the reason' >&2; kill -9 $$\n", "the new worker 0 exited: signal SIGKILL"),
];

#[test]
fn a_version_that_fails_says_why() {
    let Some(good) = server("good") else { return };
    for capture in [false, true] {
        let deployment = Deployment::new("good", &good);
        let mut flags = format!("{SOON} --start-timeout 8s");
        if capture {
            flags += " --capture";
        }
        let cluster = deployment.start(Options::workers(2).flags(&flags));
        let before = cluster.started();
        let mut events = follow(&cluster);
        for (round, (script, cause)) in BROKEN.into_iter().enumerate() {
            deployment.deploy(&format!("bad{round}"), script);
            let said = cluster.cli("reload --wait");
            assert_eq!(said.code, Some(5), "{said:?}");
            assert!(said.err.contains(cause) && said.err.contains("\n  stderr: the reason\n"), "{said:?}");
            cluster.log().wait_for_count("the reason", round + 1, PATIENCE);
            let event = next(&mut events, "reload");
            assert_eq!(event["outcome"], "failed", "{event}");
            assert!(event["cause"].as_str().is_some_and(|told| told.contains(cause)), "{event}");
            let lines = event["stderr"].as_array().expect("a list");
            assert_eq!(lines.last(), Some(&"the reason".into()), "{event}");
            assert_eq!(lines.len(), if round == 0 { 2 } else { 1 }, "of no other process: {event}");
        }
        assert_eq!(cluster.log().count("the reason"), BROKEN.len(), "{}", cluster.log().text());
        assert_eq!(names(&cluster), BTreeSet::from(["0-good", "1-good"].map(str::to_owned)));
        let pids: BTreeSet<_> = before.into_values().collect();
        let left = ask_in_turn(&cluster.target(), &app("c-epoll").expect("it runs"), 4);
        assert!(left.iter().all(|who| pids.contains(&who.pid)), "{pids:?} were replaced: {left:?}");
        deployment.deploy("better", &good.replace("good", "better"));
        cluster.order("reload --wait");
        assert_eq!(next(&mut events, "reload")["outcome"], "done");
        assert_eq!(names(&cluster), BTreeSet::from(["0-better", "1-better"].map(str::to_owned)));
        cluster.stop();
    }
}

#[test]
fn what_a_new_version_writes_is_passed_on_as_it_is() {
    let Some(good) = server("good") else { return };
    let deployment = Deployment::new("good", &good);
    let mut cluster = deployment.start(Options::workers(1).flags(SOON));
    // Each in one write, so that nothing comes between its bytes.
    let count = "for n in $(seq 1 3000); do echo $n; done >&2";
    let script = format!("printf 'a\\0b\\377 first\\n' >&2; {count}; printf 'no end' >&2\n{good}");
    deployment.deploy("chatty", &script);
    cluster.order("reload --wait");
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    let all = cluster.log().raw();
    let has = |bytes: &[u8]| all.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"a\0b\xff first\n") && has(b"3000\nno end"), "{}", cluster.log().text());
    // Lines of the supervisor's own log may stand between.
    let text = cluster.log().text();
    let numbers: Vec<u32> = text.lines().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(numbers, (1..=3000).collect::<Vec<_>>());
    assert_eq!(cluster.stdout().text(), "", "that is another stream");
}

/// Far more than fits, and a supervisor whose stderr nobody reads: the new version comes to serve all the same.
#[test]
fn a_reader_that_does_not_read_holds_up_no_reload() {
    let Some(good) = server("good") else { return };
    let deployment = Deployment::new("good", &good);
    let mut cluster = deployment.start(Options::workers(2).flags(SOON).unread());
    wait_until("the cluster is ready", PATIENCE, || cluster.cli("status -q").code == Some(0));
    let flood = "yes 'a line of many' | head -c 3000000 >&2\n";
    deployment.deploy("loud", &format!("{flood}{}", good.replace("good", "loud")));
    cluster.order("reload --wait");
    assert_eq!(names(&cluster), BTreeSet::from(["0-loud", "1-loud"].map(str::to_owned)));
    cluster.read_stdout();
    cluster.stdout().wait_for("lines of new workers' stderr were dropped");
    cluster.stop();
}

/// Where the supervisor's stdout and stderr are one, so are those of a new version.
#[test]
fn the_order_of_both_streams_is_kept() {
    let Some(good) = server("good") else { return };
    let deployment = Deployment::new("good", &good);
    let options = Options::workers(1).flags(SOON).below(&["sh", "-c", "exec \"$@\" 2>&1", "sh"]).at_once();
    let cluster = deployment.start(options);
    cluster.stdout().wait_for("worker 0 is ready");
    let count = "for n in $(seq 1 300); do echo out $n; echo err $n >&2; done\n";
    deployment.deploy("chatty", &format!("{count}{good}"));
    cluster.order("reload --wait");
    cluster.stdout().wait_for("err 300");
    let text = cluster.stdout().text();
    let told: Vec<_> =
        text.lines().filter(|line| line.starts_with("out ") || line.starts_with("err ")).collect();
    let wanted: Vec<_> = (1..=300).flat_map(|n| [format!("out {n}"), format!("err {n}")]).collect();
    assert_eq!(told, wanted);
    cluster.stop();
}

#[test]
fn the_link_is_followed_anew() {
    let Some(first) = server("1") else { return };
    let deployment = Deployment::new("1", &first);
    let options = Options::workers(2).flags(SOON).flags("--min-uptime 1ms --restart-delay 1ms");
    let mut cluster = deployment.start(options);
    deployment.deploy("2", &first.replace("-1", "-2"));
    harness::signal(cluster.started()["0"], libc::SIGKILL);
    cluster.wait_ready(3);
    let both = |version: &str| BTreeSet::from([format!("0-{version}"), format!("1-{version}")]);
    assert_eq!(names(&cluster), both("1"), "a restart is no new version");
    cluster.order("reload --wait");
    assert_eq!(names(&cluster), both("2"));
    fs::remove_dir_all(deployment.path().join("1")).expect("nobody needs it");
    harness::signal(cluster.started()["1"], libc::SIGKILL);
    cluster.wait_ready(3 + 2 + 1);
    assert_eq!(names(&cluster), both("2"));
    cluster.stop();
}

#[test]
fn those_that_were_replaced_go_back_if_told_to() {
    let Some(good) = server("good") else { return };
    for (rollback, left) in [("none", ["0-half", "1-good"]), ("all", ["0-good", "1-good"])] {
        let deployment = Deployment::new("good", &good);
        let options = Options::workers(2).flags(SOON).flags(&format!("--rollback {rollback}"));
        let cluster = deployment.start(options);
        let load = Load::start(&cluster.target(), 2, "/");
        let half = "[ $PROCESS_LOGICAL_ID = 0 ] || { echo not for one >&2; exit 3; }\n";
        deployment.deploy("half", &format!("{half}{}", good.replace("good", "half")));
        let said = cluster.cli("reload --wait");
        assert_eq!(said.code, Some(5), "{said:?}");
        assert!(said.err.contains("the new worker 1 exited: code 3"), "{said:?}");
        assert!(said.err.contains("\n  stderr: not for one\n"), "{said:?}");
        assert_eq!(said.err.contains("are back"), rollback == "all", "{said:?}");
        assert_eq!(names(&cluster), BTreeSet::from(left.map(str::to_owned)), "--rollback {rollback}");
        let seen: BTreeSet<_> = load.finish_unharmed().into_iter().map(|who| who.id).collect();
        assert!(!seen.contains("1-half"), "{seen:?}");
        cluster.stop();
    }
}

/// Listens wherever PORTS says, for Node.
const ANYWHERE: &str = "const answer = (q, s) => s.end(`pid=${process.pid} id=${process.env.PROCESS_LOGICAL_ID}\\n`); \
     for (const port of process.argv[1].split(\",\")) require(\"http\").createServer(answer).listen(port, \"127.0.0.1\");";

#[test]
fn a_version_may_listen_elsewhere() {
    if app("node-http").is_none() {
        return;
    }
    let [kept, dropped, added] = [Port::free(), Port::free(), Port::free()];
    let start = |ports: [&Port; 2]| {
        format!("exec node -e '{ANYWHERE}' {},{}\n", ports[0].number(), ports[1].number())
    };
    let target = |port: &Port| Target::Tcp(([127, 0, 0, 1], port.number()).into());
    let deployment = Deployment::new("old", &start([&kept, &dropped]));
    let options = Options::workers(2).flags(SOON).flags("--listen-settle 300ms");
    let cluster = deployment.start(options);
    wait_until("the second address is served", PATIENCE, || who(&target(&dropped)).is_ok());
    assert!(refused(&target(&added)));
    let load = Load::start(&target(&kept), 2, "/");
    let before: BTreeSet<_> = cluster.started().into_values().collect();
    deployment.deploy("new", &start([&kept, &added]));
    let told = cluster.order("reload --wait");
    let gone = format!("nobody listens on 127.0.0.1:{} any more", dropped.number());
    assert!(told.contains(&gone) && !told.contains(&kept.number().to_string()), "{told}");
    wait_until("the address that nobody wants is closed", PATIENCE, || refused(&target(&dropped)));
    cluster.log().wait_for(&format!("127.0.0.1:{} is closed", dropped.number()));
    for port in [&kept, &added] {
        let answered = who(&target(port)).expect("it is served");
        assert!(!before.contains(&answered.pid), "{answered:?} is of {before:?}");
    }
    load.finish_unharmed();
    cluster.stop();
}
