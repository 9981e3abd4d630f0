//! Clusters of the same name as an app: only what this file has started is changed or stopped by it, by whatever path it is named.

use super::changed::{Apps, WEB};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn down_stops_only_what_the_file_has_started() {
    let Some(apps) = Apps::new() else { return };
    let folder = apps.say(WEB);
    fs::create_dir(folder.path().join("other")).expect("the folder is ours");
    fs::write(folder.path().join("other/clustermon.toml"), "[app.web]\ncommand = \"sleep 1\"\n")
        .expect("the folder is ours");
    folder.say("up -d").good();
    let own = folder.path().join("clustermon.toml").display().to_string();
    let left = folder.say("down other/clustermon.toml").good();
    let told = format!("was started by {own}, and is left as it is; `clustermon stop web` stops it");
    assert!(left.contains(&told), "{left}");
    assert_eq!(apps.answer(), "s3cret one");
    folder.say("down").good();

    folder
        .say(&format!("run -d --name web -n 1 -- env PORT={} V=x python3 server.py", apps.port.number()))
        .good();
    let left = folder.say("down").good();
    assert!(left.contains("was started by `clustermon run`, and is left as it is"), "{left}");
    assert_eq!(apps.answer(), "x");
}

#[test]
fn a_file_is_the_same_by_every_path() {
    let Some(apps) = Apps::new() else { return };
    let folder = apps.say(WEB);
    fs::create_dir(folder.path().join("other")).expect("the folder is ours");
    symlink(folder.path(), folder.path().join("link")).expect("the folder is ours");
    folder.say("up -d").good();
    let folder = apps.say(&WEB.replace("workers = 2", "workers = 3"));
    for path in ["link/clustermon.toml", "link/other/../clustermon.toml", "./link/link/clustermon.toml"] {
        let plan = folder.say(&format!("up --dry-run {path}")).good();
        assert!(plan.contains("web: workers: 2 -> 3 (at once)"), "{path}: {plan}");
    }
    folder.say("down link/clustermon.toml").good();
    assert!(folder.say("down").good().contains("web: does not run"));
}
