//! The commands to a running cluster: what each does to real workers, and what it says.

use harness::{
    App, Cluster, Log, Options, PATIENCE, app, app_dir, cli_command, interpreter, is_alive, require, shares,
    wait_for, wait_until,
};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

fn pid(worker: &Value) -> u32 {
    worker["pid"].as_u64().unwrap_or_else(|| panic!("no pid in {worker}")) as u32
}

fn state(cluster: &Cluster, id: &str) -> String {
    cluster.inspect_worker(id)["state"].as_str().expect("a word").to_owned()
}

fn running(app: &App, workers: usize) -> Cluster {
    Cluster::start(app, Options::workers(workers).flags("--restart-delay 1ms"))
}

#[test]
fn status_is_a_table() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 2);
    harness::wait_for_ids(&cluster.target(), &app, 2);
    let text = cluster.order("status");
    // How it was started is told between the two.
    let about = |line: &&str| line.starts_with("command: ") || line.starts_with("directory: ");
    assert_eq!(text.lines().filter(about).count(), 2, "{text}");
    let lines: Vec<&str> = text.lines().filter(|line| !about(line)).collect();
    assert!(lines[0].starts_with("epoll: running, pid "), "{text}");
    assert!(lines[0].ends_with("2 of 2 workers running"), "{text}");
    assert!(lines[1].starts_with("ID  STATE") && lines[1].ends_with("LAST EXIT"), "{text}");
    for (id, line) in [("0", lines[2]), ("1", lines[3])] {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..2], [id, "running"], "{text}");
        assert_eq!(words[2], pid(&cluster.inspect_worker(id)).to_string(), "{text}");
        assert_ne!(words[5], "0", "it has had connections: {text}");
    }
    let address = cluster.target().to_string();
    assert!(lines[5].starts_with("ADDRESS") && lines[6].starts_with(&address), "{text}");
    assert!(lines[6].contains("running  credit    round-robin"), "{text}");
    assert!(!text.contains('\x1b'), "there is no terminal");
    assert_eq!(cluster.order("status epoll").lines().count(), lines.len() + 2);
    let one = cluster.order("status epoll/1");
    assert!(one.lines().count() == 2 && one.contains("\n1   running"), "{one}");
    assert_eq!(cluster.cli("status /7").refusal(3), "clustermon: no worker 7; there are 0, 1");

    let whole: Value = serde_json::from_str(&cluster.order("status --json")).expect("JSON");
    assert_eq!(whole["name"], "epoll");
    assert_eq!(whole["state"], "running");
    assert_eq!(whole["workers"].as_array().map(Vec::len), Some(2));
    assert_eq!(whole["load_balancers"][0]["address"], address);
    let list = cluster.order("list");
    assert!(list.lines().count() == 2 && list.contains("epoll  running"), "{list}");
    assert!(list.contains("2/2") && list.contains(&address), "{list}");
    cluster.stop();
}

#[test]
fn status_tells_by_its_code_whether_all_run() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 2);
    assert_eq!(cluster.order("status -q"), "");
    cluster.order("stop /1 --wait");
    let degraded = cluster.cli("status -q");
    assert_eq!((degraded.code, degraded.out.as_str(), degraded.err.as_str()), (Some(1), "", ""));
    assert_eq!(cluster.order("status /0 -q"), "");
    assert_eq!(cluster.cli("status /1 -q").code, Some(1));
    assert!(cluster.order("status").contains("1 of 2 workers running"));
    cluster.order("start --wait");
    assert_eq!(cluster.order("status -q"), "");
    cluster.stop();
}

#[test]
fn status_watches() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 1);
    let mut command = cli_command(&cluster.runtime_dir(), "status --watch");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let (seen, reader) = Log::collect(child.stdout.take().expect("it is piped"));
    seen.wait_for_count("1 of 1 workers running", 3, PATIENCE);
    cluster.stop();
    let status = wait_for("it ends with the cluster", PATIENCE, || child.try_wait().expect("it is ours"));
    assert_eq!(status.code(), Some(3));
    reader.join().expect("it has ended");
}

#[test]
fn a_worker_is_stopped_and_started() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 2);
    let before = cluster.inspect();
    cluster.order("stop epoll/1 --wait");
    assert!(!is_alive(pid(&before["workers"][1])));
    assert_eq!(state(&cluster, "1"), "standby");
    let worker = cluster.inspect_worker("1");
    assert!(worker["pid"].is_null() && worker["starting_at"].is_null(), "{worker}");
    assert!(worker["last_exit"].as_str().is_some_and(|exit| exit.contains("SIGTERM")), "{worker}");
    assert_eq!(pid(&cluster.inspect_worker("0")), pid(&before["workers"][0]), "the other is not touched");
    // Both of what is asked are so already.
    cluster.order("stop /1 --wait");
    cluster.order("start /0 --wait");
    cluster.order("start /1 --wait");
    assert_ne!(pid(&cluster.inspect_worker("1")), pid(&before["workers"][1]));
    harness::wait_for_ids(&cluster.target(), &app, 2);
    cluster.stop();
}

#[test]
fn restart_replaces_processes() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 2);
    let before = cluster.inspect();
    cluster.order("restart /0 --wait");
    let middle = cluster.inspect();
    assert_ne!(pid(&middle["workers"][0]), pid(&before["workers"][0]));
    assert_eq!(pid(&middle["workers"][1]), pid(&before["workers"][1]));
    assert_eq!(middle["workers"][0]["state"], "running");
    cluster.order("restart --wait --wait-timeout 30s");
    let after = cluster.inspect();
    for at in 0..2 {
        assert_ne!(pid(&after["workers"][at]), pid(&middle["workers"][at]));
        assert_eq!(after["workers"][at]["state"], "running");
    }
    cluster.log().wait_for("restart worker 0, asked by process ");
    cluster.stop();
}

#[test]
fn signals_reach_the_process() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 1);
    for (words, exit) in [
        ("hang-up /0", "SIGHUP"),
        ("signal USR2 /0", "SIGUSR2"),
        ("signal 10", "SIGUSR1"),
        ("signal kill", "SIGKILL"),
    ] {
        let old = pid(&cluster.inspect_worker("0"));
        cluster.order(words);
        wait_until(&format!("after {words} another process runs"), PATIENCE, || {
            let worker = cluster.inspect_worker("0");
            worker["state"] == "running" && pid(&worker) != old
        });
        let last = cluster.inspect_worker("0")["last_exit"].as_str().unwrap_or_default().to_owned();
        assert!(last.contains(exit), "{words}: {last}");
    }
    assert!(cluster.cli("signal NONSENSE").refusal(2).contains("NONSENSE"));
    assert!(cluster.cli("signal 65").refusal(2).contains("1 to 64"));
    assert_eq!(cluster.cli("signal HUP /7").refusal(3), "clustermon: no worker 7; there are 0");
    cluster.stop();
}

#[test]
fn force_stop_and_dump_end_a_worker_for_good() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 2);
    for (words, exit) in [("force-stop /0 --wait", "SIGKILL"), ("dump /1 --wait", "SIGABRT")] {
        cluster.order(words);
        let id = &words[words.len() - "0 --wait".len()..][..1];
        let worker = cluster.inspect_worker(id);
        assert_eq!(worker["state"], "standby", "{worker}");
        assert!(worker["last_exit"].as_str().is_some_and(|last| last.contains(exit)), "{words}: {worker}");
    }
    cluster.order("start --wait");
    assert_eq!(cluster.order("status -q"), "");
    cluster.stop();
}

#[test]
fn a_worker_that_is_debugged_is_not_killed() {
    let Some(app) = app("node-http") else { return };
    let cluster = Cluster::start(&app, Options::workers(1).flags("--stop-timeout 200ms"));
    let node = pid(&cluster.inspect_worker("0"));
    cluster.order("debug /0");
    let worker = cluster.inspect_worker("0");
    assert_eq!((&worker["state"], &worker["is_debugging"]), (&"stopping".into(), &true.into()), "{worker}");
    assert!(worker["force_stop_at"].is_null(), "{worker}");
    assert!(cluster.order("status").contains("debugging"));
    assert!(is_alive(node));
    cluster.order("force-stop /0 --wait");
    assert!(!is_alive(node));
    cluster.stop();
}

#[test]
fn scale_changes_the_number() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 1);
    let ids = |cluster: &Cluster| -> Vec<String> {
        let whole = cluster.inspect();
        let workers = whole["workers"].as_array().expect("a list").iter();
        workers.map(|worker| worker["id"].as_str().expect("a word").to_owned()).collect()
    };
    cluster.order("scale 3 --wait");
    assert_eq!(ids(&cluster), ["0", "1", "2"]);
    assert_eq!(cluster.order("status -q"), "");
    harness::wait_for_ids(&cluster.target(), &app, 3);
    cluster.order("scale -1 --wait");
    assert_eq!(ids(&cluster), ["0", "1"]);
    cluster.order("scale epoll=+2 --wait");
    assert_eq!(ids(&cluster), ["0", "1", "2", "3"]);
    cluster.order("scale epoll=1 --wait");
    assert_eq!(ids(&cluster), ["0"]);
    for (words, code) in [("scale 0", 2), ("scale 1025", 1), ("scale many", 2), ("scale web=2", 3)] {
        cluster.cli(words).refusal(code);
    }
    assert_eq!(ids(&cluster), ["0"]);
    cluster.stop();
}

#[test]
fn a_cordoned_worker_gets_no_connections() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 2);
    let target = cluster.target();
    let old = pid(&cluster.inspect_worker("0"));
    cluster.order("cordon /0");
    assert_eq!(cluster.inspect_worker("0")["cordoned"], true);
    assert!(cluster.order("status /0").contains("cordoned"));
    let answers = harness::ask_in_turn(&target, &app, 20);
    assert!(answers.iter().all(|who| who.id == "1"), "{:?}", shares(&answers));
    cluster.order("uncordon /0");
    harness::wait_for_ids(&target, &app, 2);
    assert_eq!(pid(&cluster.inspect_worker("0")), old, "it is the same process");
    assert!(cluster.cli("cordon").refusal(2).contains("[NAME][/ID]"));
    cluster.stop();
}

#[test]
fn events_are_told_as_they_happen() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 1);
    let follow = |words: &str| {
        let mut command = cli_command(&cluster.runtime_dir(), words);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let (log, reader) = Log::collect(child.stdout.take().expect("it is piped"));
        (child, log, reader)
    };
    let followers = [follow("events"), follow("events epoll --json")];
    // Each follows once it has an answer, which is not seen from outside: until then the workers are moved.
    for (_, log, _) in &followers {
        wait_until("a restart is told", PATIENCE, || {
            cluster.order("restart /0 --wait");
            log.count("running") > 0
        });
    }
    let last = pid(&cluster.inspect_worker("0"));
    followers[0].1.wait_for(&format!("worker 0 running, pid {last}"));
    followers[1].1.wait_for(&format!("\"state\":\"running\",\"pid\":{last}"));
    for line in followers[1].1.text().lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(event["v"] == 1 && event["event"].is_string(), "{line}");
    }
    cluster.stop();
    for (mut child, _, reader) in followers {
        let status = wait_for("it ends with the cluster", PATIENCE, || child.try_wait().expect("it is ours"));
        assert_eq!(status.code(), Some(0));
        reader.join().expect("it has ended");
    }
}

#[test]
fn stop_ends_the_cluster() {
    let Some(app) = app("c-epoll") else { return };
    let mut cluster = running(&app, 2);
    cluster.order("stop --wait");
    assert!(cluster.temp().socket_files().is_empty(), "its name is free again");
    assert_eq!(cluster.wait_exit().code(), Some(0));
    cluster.assert_nothing_left();
    assert_eq!(cluster.cli("status").refusal(3), "clustermon: no cluster of this user is running");
    let told = "clustermon: no cluster \"epoll\": none of this user is running";
    assert_eq!(cluster.cli("stop epoll").refusal(3), told);
}

#[test]
fn a_wait_has_its_end() {
    if !require("python3") {
        return;
    }
    let stubborn = [interpreter("python3"), app_dir().join("python/stubborn.py").into_os_string()];
    let cluster = Cluster::start_command(&stubborn, Options::workers(1).flags("--stop-timeout infinity"));
    let begun = std::time::Instant::now();
    let told = cluster.cli("stop /0 --wait --wait-timeout 300ms");
    assert!(told.refusal(4).contains(" ms: worker 0 is stopping"), "{told:?}");
    assert!(begun.elapsed() >= Duration::from_millis(290));
    assert_eq!(state(&cluster, "0"), "stopping");
    cluster.order("force-stop /0 --wait");
    assert_eq!(state(&cluster, "0"), "standby");
    cluster.stop();
}

#[test]
fn what_is_wrong_is_told_in_one_line() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = running(&app, 1);
    for (words, code, part) in [
        ("restart /", 2, "no worker is named"),
        ("restart /7", 3, "no worker 7"),
        ("restart web", 3, "no cluster \"web\": there are epoll"),
        ("restart ../run/epoll", 3, "no cluster \"..\""),
        ("events ../run/epoll", 3, "no cluster \"../run/epoll\""),
        ("restart --no-wait --wait-timeout 5s", 2, "--wait-timeout"),
        ("restart --wait --wait-timeout soon", 2, "not a duration"),
        ("status -q --json", 2, "--json"),
        ("events web", 3, "no cluster \"web\""),
        ("--control /nowhere/c.sock status", 2, "--control"),
        ("status --control /nowhere/c.sock", 3, "/nowhere/c.sock"),
        ("fly", 2, "fly"),
    ] {
        let said = cluster.cli(words);
        assert!(said.refusal(code).contains(part), "{words}: {said:?}");
    }
    cluster.stop();
}
