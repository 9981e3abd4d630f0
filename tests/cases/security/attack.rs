//! A worker, and anybody else, who means harm by the request socket and the lanes: the supervisor stays well, everybody
//! else is served meanwhile, and the log names who it was, not too often.

use harness::{
    App, Cluster, Load, Options, PATIENCE, app, app_dir, ask_in_turn, conn_to, interpreter, require, shares,
    signal, wait_for_ids, wait_until,
};
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const HOSTILE_LIMIT: Duration = Duration::from_secs(60);

/// Three workers, each of which can be told to attack.
fn traitors(options: Options) -> Option<(Cluster, App)> {
    let app = app("python-threads")?;
    let command = [interpreter("python3"), app_dir().join("python/traitor.py").into_os_string()];
    Some((Cluster::start_command(&command, options), app))
}

/// A variable in the environment of a worker's process.
fn variable(pid: u32, name: &str) -> String {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("the worker lives");
    let prefix = format!("{name}=");
    let entry = environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()));
    String::from_utf8(entry.expect("it is set").to_vec()).expect("plain text")
}

/// Somebody who is no process of the cluster, with the socket's name and no token; as another user if that is given.
fn stranger(cluster: &Cluster, mode: &str, argument: &str, user: Option<&str>) -> Child {
    let script = app_dir().join("python/attack.py");
    let mut command = match user {
        Some(user) => {
            // Nobody else may be able to enter where the interpreter and the script lie.
            let text = std::fs::read_to_string(&script).expect("it is there");
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]);
            command.args(["/usr/bin/python3", "-c", &text]);
            command.current_dir("/");
            command
        }
        None => {
            let mut command = Command::new(interpreter("python3"));
            command.arg(script);
            command
        }
    };
    let pid = *cluster.started().values().next().expect("a worker");
    command.args([mode, argument]).env("CLUSTERMON_SOCKET", variable(pid, "CLUSTERMON_SOCKET"));
    command.env_remove("CLUSTERMON_TOKEN").stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("it starts")
}

/// What it prints until it closes its output or has printed a line.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.as_mut().expect("it is a pipe");
    let mut byte = [0];
    while output.read(&mut byte).expect("a pipe") == 1 && byte[0] != b'\n' {
        line.push(char::from(byte[0]));
    }
    line
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().expect("it is ours").success());
}

/// The worker 0 attacks while others are served; returns what it says came of it, and looks that nothing else did.
#[track_caller]
fn betray(cluster: &Cluster, app: &App, page: &str) -> String {
    ask_in_turn(&cluster.target(), app, 9);
    let mut traitor = conn_to(&cluster.target(), app, "0");
    let load = Load::start(&cluster.target(), 3, "/");
    traitor.request(page).expect("it is written");
    // However long a busy machine takes for it.
    wait_until("the attack is over", 4 * HOSTILE_LIMIT, || traitor.is_readable());
    let told = traitor.response().expect("an answer").text();
    let goal = load.done() + 60;
    wait_until("requests go on", PATIENCE, || load.done() >= goal);
    let samples = load.finish();
    let failed: Vec<_> = samples.iter().filter(|sample| sample.result.is_err()).collect();
    assert!(failed.is_empty(), "{} of {} failed: {:?}", failed.len(), samples.len(), failed[0]);
    told.trim_end().to_owned()
}

/// The page of a process that has ended is kept until the next one attaches, at most for each worker.
const PAGES: usize = 3;

/// The supervisor answers, holds no more than before, and rotation is exact again.
#[track_caller]
fn is_well(cluster: &Cluster, app: &App, descriptors: usize) {
    wait_until("nothing of it is kept", PATIENCE, || cluster.fd_count() <= descriptors + PAGES);
    assert_eq!(cluster.order("status -q"), "");
    // One that was kept busy may have to be looked at twice before it is back.
    wait_until("all three take their turns", PATIENCE, || {
        let shares = shares(&ask_in_turn(&cluster.target(), app, 30));
        shares.len() == 3 && shares.values().all(|share| *share == 10)
    });
}

/// How many descriptors the supervisor has once every worker has its page.
fn settled(cluster: &Cluster, app: &App) -> usize {
    ask_in_turn(&cluster.target(), app, 30);
    cluster.fd_count()
}

/// Lines that name worker 0 and one of its processes; there are some, and not many.
#[track_caller]
fn named(cluster: &Cluster, what: &str) {
    let part = format!(", of worker 0) {what}");
    cluster.log().wait_for(&part);
    cluster.assert_few_lines(&part);
    for line in &cluster.log().lines_with(&part) {
        let pid =
            line.split_once("process ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u32>().ok());
        assert!(pid.is_some_and(|pid| pid > 1), "{line}");
    }
}

#[test]
fn a_worker_that_sends_garbage_is_named() {
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    assert_eq!(betray(&cluster, &app, "/attack?mode=garbage&arg=2000"), "sent=2000");
    named(&cluster, "sent something that is no request");
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn wrong_tokens_are_refused_each_time() {
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    assert_eq!(betray(&cluster, &app, "/attack?mode=tokens&arg=1000"), "refused=1000");
    named(&cluster, "asked with a token of no living worker: refused");
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn the_token_of_another_worker_is_no_good() {
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    let token = variable(cluster.started()["1"], "CLUSTERMON_TOKEN");
    assert_eq!(betray(&cluster, &app, &format!("/attack?mode=other&arg={token}")), "refused=40");
    named(&cluster, "asked with the token of worker 1: refused");
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn options_are_for_ones_own_lanes() {
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    // There are three lanes, and one is its own.
    assert_eq!(betray(&cluster, &app, "/attack?mode=options&arg=200"), "done=1");
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn a_flood_of_claims_takes_no_time_from_others() {
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    assert_eq!(betray(&cluster, &app, "/attack?mode=owns&arg=2000"), "not_owned=2000");
    cluster.log().wait_for("worker 0 cannot listen on 127.0.0.1:");
    cluster.assert_few_lines("worker 0 cannot listen on 127.0.0.1:");
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn a_lane_that_is_stuffed_keeps_nobody_from_being_heard() {
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    assert_eq!(betray(&cluster, &app, "/stuff?count=20000"), "sent=20000");
    let part = format!("worker 0 (process {}) sends garbage on its lane", cluster.started()["0"]);
    cluster.log().wait_for(&part);
    cluster.assert_few_lines(&part);
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn a_worker_gets_no_more_than_its_share_of_descriptors() {
    if !require("prlimit") {
        return;
    }
    let options = Options::workers(3).flags("--restart-delay 1ms").below(&["prlimit", "--nofile=400", "--"]);
    let Some((mut cluster, app)) = traitors(options) else { return };
    let before = settled(&cluster, &app);
    let told = betray(&cluster, &app, "/attack?mode=listeners&arg=200");
    let failed: usize = told.strip_prefix("failed=").and_then(|count| count.parse().ok()).expect("a count");
    assert!((100..200).contains(&failed), "{told}");
    cluster.log().wait_for("it has its share of the supervisor's descriptors");
    // What the attacker's end has left is closed; while a worker starts it would not be, for that may listen there.
    is_well(&cluster, &app, before);
    signal(cluster.started()["1"], libc::SIGKILL);
    cluster.wait_ready(4);
    wait_for_ids(&cluster.target(), &app, 3);
    cluster.stop();
}

#[test]
fn ten_thousand_connect_and_a_worker_still_comes_in() {
    let Some((cluster, app)) = traitors(Options::workers(3).flags("--restart-delay 1ms")) else { return };
    let before = settled(&cluster, &app);
    // Among ten thousand others one may wait long on a busy machine.
    let load = Load::start_within(&cluster.target(), 3, "/", 4 * HOSTILE_LIMIT);
    let mut flood = stranger(&cluster, "connects", "10000", None);
    let victim = cluster.started()["1"];
    wait_until("the flood has begun", PATIENCE, || cluster.fd_count() > before + 50);
    signal(victim, libc::SIGKILL);
    cluster.log().wait_for_count(" is ready", 4, HOSTILE_LIMIT);
    assert_eq!(first_line(&mut flood), "made=10000");
    wait_for_ids(&cluster.target(), &app, 3);
    assert!(cluster.fd_count() < before + 300, "{} descriptors", cluster.fd_count());
    let samples = load.finish();
    // What the killed one had accepted.
    let failed = samples.iter().filter(|sample| sample.result.is_err()).count();
    assert!(failed <= 3, "{failed} of {} failed", samples.len());
    assert_eq!(cluster.log().count("worker 1 listens on "), 2, "it came in the second time too");
    let part = format!("process {} (uid ", flood.id());
    cluster.log().wait_for(&part);
    cluster.assert_few_lines(&part);
    end(flood);
    is_well(&cluster, &app, before);
    cluster.stop();
}

#[test]
fn another_user_gets_nothing_and_is_named() {
    // SAFETY: asks for a number only.
    let root = unsafe { libc::geteuid() } == 0;
    if !root || !require("setpriv") || !std::path::Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: only root may become somebody else");
        return;
    }
    let Some((cluster, app)) = traitors(Options::workers(3)) else { return };
    let before = settled(&cluster, &app);
    let load = Load::start(&cluster.target(), 3, "/");
    for (mode, argument, told) in
        [("garbage", "500", "sent=500"), ("tokens", "300", "refused=300"), ("connects", "2000", "made=2000")]
    {
        let mut child = stranger(&cluster, mode, argument, Some("65534"));
        assert_eq!(first_line(&mut child), told, "{mode}");
        end(child);
    }
    wait_until("requests end", HOSTILE_LIMIT, || load.done() >= 100);
    let samples = load.finish();
    assert!(samples.iter().all(|sample| sample.result.is_ok()), "a request failed");
    cluster.log().wait_for(" (uid 65534) ");
    cluster.assert_few_lines(" (uid 65534) ");
    is_well(&cluster, &app, before);
    cluster.stop();
}
