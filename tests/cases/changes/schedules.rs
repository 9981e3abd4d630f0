//! `--reload-at` and `--restart-at`: what is done at set times, without a failed request. The times here are each second; which times an
//! expression means, and what a clock that is set does to them, is tested in the core.

use harness::{Cluster, Load, Options, PATIENCE, TempDir, app, cli, wait_until};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const EACH_SECOND: &str = "* * * * * *";

/// A cluster of two by a rule for the zone, and clients that must not notice anything.
fn started(option: &str, flags: &str) -> Option<(Cluster, Load)> {
    let options = Options::workers(2).flags(flags).word(option).word(EACH_SECOND).env("TZ", "CET-1");
    let cluster = Cluster::start(&app("c-epoll")?, options);
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("the clients are at it", PATIENCE, || load.done() > 50);
    Some((cluster, load))
}

#[test]
fn a_reload_comes_at_its_time_and_is_skipped_during_another() {
    // It takes two seconds, so that the next time is during it.
    let flags = "--name web --min-healthy-time 1s --idle-grace 100ms";
    let Some((cluster, load)) = started("--reload-at", flags) else { return };
    let log = cluster.log();
    log.wait_for("--reload-at '* * * * * *': the first time is 20");
    log.wait_for("reload, as --reload-at '* * * * * *' says");
    log.wait_for("--reload-at '* * * * * *': skipped, for a reload is under way");
    log.wait_for_count("reload: done, 2 workers have a new process", 2, PATIENCE);
    let inspection: Value = serde_json::from_str(&cluster.cli("inspect web").good()).expect("JSON");
    let scheduled = &inspection["schedules"][0];
    assert_eq!((&scheduled["what"], &scheduled["schedule"]), (&"reload".into(), &EACH_SECOND.into()));
    assert!(scheduled["next_at"].as_u64() > inspection["started_at"].as_u64(), "{inspection}");
    let local = scheduled["next_local"].as_str().expect("a time");
    assert!(local.ends_with(" +01:00"), "{local}");
    for view in ["status web", "describe web"] {
        let told = cluster.cli(view).good();
        let line = told.lines().find(|line| line.contains("reload ") && line.contains(EACH_SECOND));
        assert!(line.is_some_and(|line| line.contains(" at 20") && line.contains("+01:00")), "{told}");
    }
    load.finish_unharmed();
    cluster.stop();
}

#[test]
fn a_restart_ends_each_old_process_before_the_new_one_starts() {
    let flags = "--min-healthy-time 50ms --idle-grace 100ms -v";
    let Some((cluster, load)) = started("--restart-at", flags) else { return };
    let log = cluster.log();
    log.wait_for("restart of one worker after the other, as --restart-at '* * * * * *' says");
    log.wait_for_count("reload: done, 2 workers have a new process", 3, PATIENCE);
    load.finish_unharmed();
    let text = log.text();
    let mut runs: BTreeMap<&str, bool> = BTreeMap::new();
    let mut all_down = BTreeSet::new();
    for line in text.lines() {
        let worker = ["worker 0 ", "worker 1 "].into_iter().find(|worker| line.contains(worker));
        let Some(worker) = worker else { continue };
        if line.contains(" started, pid ") {
            assert!(!runs.insert(worker, true).unwrap_or(false), "two at a time: {text}");
        } else if line.contains(" exited: ") {
            runs.insert(worker, false);
            if runs.values().all(|runs| !runs) {
                all_down.insert(line);
            }
        }
    }
    assert!(all_down.is_empty(), "nobody was left: {all_down:?} in {text}");
    cluster.stop();
}

#[test]
fn what_is_no_schedule_is_said_before_anything_starts() {
    let folder = TempDir::new();
    for (option, cron, why) in [
        ("--reload-at", "@sometimes", "is none of @hourly, @daily,"),
        ("--reload-at", "3", "has 1 field, and is to have five"),
        ("--restart-at", "@reboot", "with the cluster"),
    ] {
        let said = cli(folder.path(), &format!("run {option} {cron} -- true"));
        let line = said.refusal(2);
        assert!(line.contains(option) && line.contains(cron) && line.contains(why), "{line}");
    }
    let file = folder.path().join("clustermon.toml");
    let write = |at: &str| fs::write(&file, format!("[app.web]\ncommand = [\"true\"]\nreload-at = {at}\n"));
    let check = || cli(folder.path(), &format!("check {}", file.display()));
    write("[\"0 3 * * *\", \"@weekly\"]").expect("the folder is ours");
    check().good();
    write("\"0 3 30 2 *\"").expect("the folder is ours");
    let said = check();
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("no day is ever such a day") && said.err.contains(":3:"), "{said:?}");
}
