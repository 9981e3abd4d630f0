//! What else happens while a running cluster is changed: the change fails at once, somebody scales, a worker is replaced for another reason.

use super::changed::{Apps, WEB};
use harness::{PATIENCE, Said, c_program, cli_command, require, wait_until};
use std::fs;
use std::process::{Child, Stdio};

/// A command in the folder that goes on for a while.
fn begin(apps: &Apps, words: &str) -> Child {
    let mut command = cli_command(apps.folder.path(), words);
    command
        .current_dir(apps.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().expect("it starts")
}

fn end(child: Child) -> Said {
    let output = child.wait_with_output().expect("it is our child");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

#[test]
fn what_fails_before_any_process_is_started_goes_back_too() {
    let Some(apps) = Apps::new().filter(|_| require("cc")) else { return };
    apps.say(WEB).say("up -d").good();
    let before = apps.pids();
    // Its listeners would come by another way than those of the programs before it.
    let program = c_program("epoll", &["-static"]);
    let static_one = WEB.replace("python3 server.py one", &program.display().to_string());
    let static_one = static_one.replace("workers = 2", "workers = 1\nhang-limit = \"9s\"");
    let folder = apps.say(&static_one);
    let failed = folder.say("up -d");
    assert!(
        failed.code == Some(1) && failed.err.contains("web: runs as before: reload failed"),
        "{failed:?}"
    );
    assert_eq!(apps.pids(), before);
    let plan = folder.say("up --dry-run").good();
    for line in ["web: command: ", "web: hang-limit: now 9s", "web: workers: 2 -> 1"] {
        assert!(plan.contains(line), "{plan}");
    }
    assert!(apps.say(WEB).say("up --dry-run").good().contains("web: runs already"));
}

#[test]
fn who_scales_meanwhile_has_the_last_word() {
    for (is_allowed, workers) in [(false, 1), (true, 1), (false, 3), (true, 3)] {
        let Some(apps) = Apps::new() else { return };
        apps.say(WEB).say("up -d").good();
        let gate = "while [ ! -e answer ]; do sleep 0.01; done; exit $(cat answer)";
        fs::write(apps.folder.path().join("gate"), gate).expect("the folder is ours");
        let more = format!("workers = {workers}\nbefore-reload = \"sh gate\"");
        apps.say(&WEB.replace("s3cret", "s3cond").replace("workers = 2", &more));
        let up = begin(&apps, "up -d");
        let is_held = || apps.folder.inspect("web")["hooks"]["gate"].is_object();
        wait_until("the reload is held up", PATIENCE, is_held);
        apps.folder.say("scale web 4").good();
        let code = if is_allowed { "0" } else { "1" };
        fs::write(apps.folder.path().join("new"), code).expect("the folder is ours");
        fs::rename(apps.folder.path().join("new"), apps.folder.path().join("answer")).expect("it is there");
        let said = end(up);
        assert_eq!(said.code, Some(i32::from(!is_allowed)), "{said:?}");
        assert_eq!(apps.pids().len(), 4, "{is_allowed} {workers}: {said:?}");
        assert_eq!(apps.answer(), if is_allowed { "s3cond one" } else { "s3cret one" });
    }
}

#[test]
fn who_waits_for_a_number_that_another_has_changed_is_told() {
    let Some(apps) = Apps::new() else { return };
    // None is ever ready.
    apps.say("[app.job]\ncommand = \"sleep 1000\"\nworkers = 1\nready = \"notify\"\n");
    let up = begin(&apps, "up -d");
    let workers = || {
        let inspected = apps.folder.say("inspect job").out;
        let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap_or_default();
        inspected["workers"].as_array().map_or(0, Vec::len)
    };
    wait_until("it is there", PATIENCE, || workers() == 1);
    let first = begin(&apps, "scale job 3");
    wait_until("it is being scaled", PATIENCE, || workers() == 3);
    let second = begin(&apps, "scale job 2");
    let told = end(first);
    assert!(told.code != Some(0) && told.err.contains("the number of workers is to be 2"), "{told:?}");
    apps.folder.say("force-stop job").good();
    assert_ne!((end(second).code, end(up).code), (Some(0), Some(0)));
}

#[test]
fn a_worker_that_is_replaced_for_its_age_is_no_reload() {
    let Some(apps) = Apps::new() else { return };
    // The second process never listens: its replacement lasts.
    let script = "n=$(ls -d started.* 2>/dev/null | wc -l); mkdir started.$n\n\
        if [ $n -gt 0 ]; then exec sleep 1000; fi\nexec \"$@\"\n";
    fs::write(apps.folder.path().join("once"), script).expect("the folder is ours");
    let aging = WEB
        .replace("python3 server.py", "sh once python3 server.py")
        .replace("workers = 2", "workers = 1\nmax-lifetime = \"1s\"\nrecycle-jitter = \"0\"");
    apps.say(&aging).say("up -d").good();
    let second = apps.folder.path().join("started.1");
    wait_until("another process is to take its place", PATIENCE, || second.exists());
    let folder = apps.say(&aging.replace("workers = 1", "workers = 1\nstop-timeout = \"3s\""));
    let told = folder.say("up -d").good();
    assert!(told.contains("web: stop-timeout: now 3s (at once)"), "{told}");
    assert_eq!(apps.answer(), "s3cret one");
}

#[test]
fn as_many_variables_as_a_start_can_have_can_be_changed() {
    let Some(apps) = Apps::new() else { return };
    let large = |value: &str| {
        let value = value.repeat(100_000);
        WEB.replace("V = \"s3cret\"", &format!("V = \"s3cret\", LARGE = \"{value}\""))
    };
    apps.say(&large("a")).say("up -d").good();
    assert!(apps.folder.say("up -d").good().contains("web: runs already"));
    let told = apps.say(&large("b")).say("up -d").good();
    assert!(told.contains("env LARGE: set -> another value") && told.len() < 1000, "{told}");
}
