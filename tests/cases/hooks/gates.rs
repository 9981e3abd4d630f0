//! Commands that have to allow a start or a reload: what they hold up waits, their failure ends it and says why, and a stop ends the wait.

use super::Scripts;
use harness::{
    Cluster, Deployment, Load, Options, PATIENCE, app, c_program, cli, cli_command, open, require, wait_until,
};
use std::fs;
use std::time::Duration;

const GO: &str = "while [ ! -e \"$1/go\" ]; do sleep 0.01; done\n";
const SOON: &str = "--name web --min-healthy-time 50ms --idle-grace 100ms";

#[test]
fn nothing_starts_before_it_may() {
    let Some(app) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    let migrate = scripts.command("migrate", &format!("cat > \"$1/told\"\necho migrating\n{GO}"));
    let options = Options::workers(2).flags(SOON).word("--before-start").word(&migrate).at_once();
    let mut cluster = Cluster::start(&app, options);
    let told = scripts.wait_for("told", PATIENCE, |_| true);
    assert_eq!((&told["hook"], &told["cluster"]), (&"before_start".into(), &"web".into()), "{told}");
    cluster.log().wait_for("hook before_start: migrating");
    let status = cluster.order("status");
    assert!(status.contains("before_start, for ") && status.contains("0 of 2 workers running"), "{status}");
    assert_eq!(cluster.inspect()["hooks"]["gate"]["command"], migrate);
    assert_eq!(cluster.log().count(" started, pid "), 0);
    fs::write(scripts.at("go"), "").expect("the folder is ours");
    cluster.wait_ready(2);
    open(&cluster.target(), &app).who().expect("an answer");
    assert!(!cluster.order("status").contains("before_start"));
    cluster.stop();
}

#[test]
fn a_start_that_may_not_be_ends_with_the_reason() {
    let scripts = Scripts::new();
    let migrate = scripts.command("migrate", "echo first\necho 'no such table: users' >&2\nexit 7\n");
    for detach in [false, true] {
        let mut command = cli_command(&scripts.at("."), "run -n 1");
        if detach {
            command.arg("-d");
        }
        command.args(["--before-start", &migrate]);
        command.args(["--on", &format!("stop={}", scripts.noting("stop"))]);
        let output = command.args(["sh", "-c", &format!("touch {}", scripts.at("started").display())]);
        let output = output.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        let reason = format!("before_start: {migrate} exited with code 7: first | no such table: users");
        assert!(told.contains(&reason), "{told}");
    }
    assert!(!scripts.at("started").exists(), "a worker was started");
    assert_eq!(scripts.told("stop").len(), 0, "what has not begun does not end");
}

#[test]
fn a_stop_ends_the_wait() {
    let scripts = Scripts::new();
    for (name, trap) in [("polite", ""), ("deaf", "trap '' TERM\n")] {
        let text = format!("{trap}touch \"$1/{name}\"\nwhile :; do sleep 0.05; done\n");
        let migrate = scripts.command(&format!("{name}.sh"), &text);
        let options = Options::workers(1).word("--before-start").word(migrate).at_once();
        let cluster = Cluster::start_command(&["sh", "-c", "exit 1"], options);
        wait_until("it runs", PATIENCE, || scripts.at(name).exists());
        cluster.stop();
    }
}

#[test]
fn a_reload_waits_and_is_of_the_new_version() {
    if !require("cc") {
        return;
    }
    let scripts = Scripts::new();
    let program = c_program("epoll", &[]).display().to_string();
    let deployment = Deployment::new("one", &format!("exec {program}\n"));
    let migrate = scripts.command("migrate", &format!("pwd > \"$1/where\"\n{GO}"));
    let options = Options::workers(2).flags(SOON).word("--before-reload").word(migrate);
    let cluster = deployment.start(options);
    let before = cluster.started();
    let load = Load::start(&cluster.target(), 2, "/");
    deployment.deploy("two", &format!("exec {program}\n"));
    let waits = cluster.cli("reload --wait-timeout 1ms");
    assert_eq!(waits.code, Some(4), "{waits:?}");
    assert!(waits.err.contains("before_reload runs: "), "{waits:?}");
    wait_until("it runs", PATIENCE, || scripts.text("where").ends_with('\n'));
    assert!(scripts.text("where").trim_end().ends_with("/two"), "{}", scripts.text("where"));
    let status = cluster.order("status");
    assert!(status.contains("before_reload, for "), "{status}");
    assert_eq!(cluster.started(), before);
    fs::write(scripts.at("go"), "").expect("the folder is ours");
    cluster.log().wait_for("reload: done, ");
    assert_ne!(cluster.started(), before);
    load.finish_unharmed();
    cluster.stop();
}

#[test]
fn a_reload_that_may_not_be_says_why_and_changes_nothing() {
    let Some(app) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    let migrate = scripts.command("migrate", "echo no such table: users\nexit 7\n");
    let options = Options::workers(2).flags(SOON).word("--before-reload").word(&migrate);
    let cluster = Cluster::start(&app, options);
    let before = cluster.started();
    let load = Load::start(&cluster.target(), 2, "/");
    let said = cluster.cli("reload");
    assert_eq!(said.code, Some(5), "{said:?}");
    let reason =
        format!("reload failed: before_reload: {migrate} exited with code 7: no such table: users; the old");
    assert!(said.err.contains(&reason), "{said:?}");
    let status = cluster.order("status");
    assert!(status.contains("ago: ") && status.contains(&reason), "{status}");
    assert_eq!(cluster.started(), before);
    // Gone since the start: a reload fails with that.
    fs::remove_file(scripts.at("migrate")).expect("it is there");
    assert_eq!(cluster.cli("reload").code, Some(5));
    load.finish_unharmed();
    cluster.stop();
}

#[test]
fn a_newer_reload_an_abort_and_a_stop_end_the_wait() {
    let Some(app) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    let text = "echo $$ >> \"$1/runs\"\nwhile [ ! -e \"$1/go\" ]; do sleep 0.01; done\n";
    let options = Options::workers(1).flags(SOON).word("--before-reload");
    let cluster = Cluster::start(&app, options.word(scripts.command("migrate", text)));
    let runs = |count: usize| {
        wait_until("it runs", PATIENCE, || scripts.text("runs").lines().count() == count);
    };
    let reload = || assert_eq!(cluster.cli("reload --wait-timeout 1ms").code, Some(4));
    reload();
    runs(1);
    reload();
    runs(2);
    cluster.order("reload --abort");
    cluster.log().wait_for("reload aborted");
    reload();
    runs(3);
    let live = |pid: &str| harness::is_alive(pid.parse().expect("a number"));
    let text = scripts.text("runs");
    let pids: Vec<&str> = text.lines().collect();
    wait_until("the first two are ended", PATIENCE, || !pids[..2].iter().any(|pid| live(pid)));
    cluster.stop();
    assert!(!live(pids[2]));
}

#[test]
fn what_cannot_be_run_is_bad_input() {
    let scripts = Scripts::new();
    let folder = scripts.at("plain");
    fs::write(&folder, "").expect("the folder is ours");
    let plain = folder.display();
    for (words, why) in [
        (format!("--before-start {plain}"), "--before-start: "),
        (format!("--before-reload {plain}"), "is not executable"),
        (format!("--on stop={plain}"), "--on stop: "),
        ("--on stop=/no/such/file".to_owned(), "no such file"),
        ("--on exit=true".to_owned(), "there is no event \"exit\""),
        ("--on true".to_owned(), "EVENT=COMMAND"),
        ("--hook-timeout 0".to_owned(), "--hook-timeout 0: "),
    ] {
        let said = cli(&scripts.at("."), &format!("run -n 1 {words} -- sh -c exit"));
        assert!(said.refusal(2).contains(why), "{words}: {said:?}");
    }
}

#[test]
fn one_that_never_ends_is_a_failure() {
    let scripts = Scripts::new();
    let migrate = scripts.command("migrate", "echo waiting for the lock\nsleep 1000\n");
    let options = Options::workers(1).flags("--hook-timeout 200ms").word("--before-start").word(migrate);
    let mut cluster = Cluster::start_command(&["sh", "-c", "exit 1"], options.at_once());
    let begun = std::time::Instant::now();
    assert_eq!(cluster.wait_exit().code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(30));
    cluster.log().wait_for("had not ended after 200ms, and was killed: waiting for the lock");
    cluster.assert_nothing_left();
}
