//! `--watch`: a program that is written while it serves. What follows from a change is a reload like any other; here it is that the right
//! changes lead to one, and that no request fails of it.

use harness::{
    Cluster, Load, Options, PATIENCE, Said, TempDir, app, app_dir, ask_in_turn, cli_command, pause, require,
    resume, wait_until,
};
use std::fs;
use std::path::{Path, PathBuf};

const SOON: &str = "--name web --min-healthy-time 50ms --idle-grace 100ms -v";
const DONE: &str = "reload: done, ";
const RELOADING: &str = ": reloading";

/// A folder with a program in two files, of which one says which version it is.
struct Project(TempDir);

impl Project {
    /// `None` where there is no Python.
    fn new() -> Option<Self> {
        if !require("python3") {
            return None;
        }
        let project = Self(TempDir::new());
        let library = app_dir().join("python");
        let server = format!(
            "import os, sys\nsys.path.insert(0, {library:?})\nimport version\n\
             os.environ['PROCESS_LOGICAL_ID'] += '-' + version.NAME\nimport threads\n"
        );
        project.write("src/app.py", &server);
        project.write("src/version.py", &version("one"));
        project.write(".gitignore", "*.log\n/tmp/\n");
        Some(project)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        let folder = path.parent().expect("it is in the project");
        fs::create_dir_all(folder).and_then(|()| fs::write(&path, text)).expect("the folder is ours");
    }

    /// The new text takes the place of the old one at once: one change, however busy the machine is.
    fn save(&self, name: &str, text: &str) {
        self.save_by(&self.0.path().with_file_name("next"), name, text);
    }

    /// The same, as editors do it: by way of this file.
    fn save_by(&self, next: &Path, name: &str, text: &str) {
        let saved = fs::write(next, text).and_then(|()| fs::rename(next, self.at(name)));
        saved.expect("the folder is ours");
    }

    /// Two workers that serve, and what is below this path is watched by now.
    #[track_caller]
    fn start(&self, watched: &str) -> Cluster {
        self.start_with(watched, Options::workers(2))
    }

    #[track_caller]
    fn start_with(&self, watched: &str, options: Options) -> Cluster {
        let flags = format!("{SOON} --watch {}", self.at(watched).display());
        let command = ["python3".into(), self.at("src/app.py").into_os_string()];
        let cluster = Cluster::start_command(&command, options.flags(&flags));
        cluster.log().wait_for("watch: watching ");
        cluster
    }
}

fn version(name: &str) -> String {
    format!("NAME = {name:?}\n")
}

/// The lines on changes, from the path on.
fn told(cluster: &Cluster) -> Vec<String> {
    let lines = cluster.log().lines_with(RELOADING);
    lines.iter().filter_map(|line| Some(line.split_once("watch: ")?.1.to_owned())).collect()
}

/// Waits for so many reloads that were done in all, and asks both workers which version they are.
#[track_caller]
fn all_are(cluster: &Cluster, reloads: usize, version: &str) {
    cluster.log().wait_for_count(DONE, reloads, PATIENCE);
    let app = app("python-threads").expect("it runs");
    wait_until("each worker answers as the new version", PATIENCE, || {
        let who = ask_in_turn(&cluster.target(), &app, 4);
        who.iter().all(|who| who.id.ends_with(&format!("-{version}")))
    });
}

#[test]
fn a_change_reloads_without_a_failed_request() {
    let Some(project) = Project::new() else { return };
    let cluster = project.start("src");
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("the clients are at it", PATIENCE, || load.done() > 50);
    project.write("src/version.py", &version("two"));
    all_are(&cluster, 1, "two");
    project.save_by(&project.at("src/.next"), "src/version.py", &version("three"));
    all_are(&cluster, 2, "three");
    load.finish_unharmed();
    let changed = format!("{} has changed: reloading", project.at("src/version.py").display());
    assert_eq!(told(&cluster)[0], changed);
    cluster.stop();
}

#[test]
fn a_broken_version_is_kept_out_and_its_error_is_shown() {
    let Some(project) = Project::new() else { return };
    let cluster = project.start("src");
    let before = cluster.started();
    let load = Load::start(&cluster.target(), 4, "/");
    project.save("src/version.py", "raise RuntimeError('the reason')\n");
    cluster.log().wait_for("reload failed: the new worker 0 exited: code 1; the old processes go on");
    cluster.log().wait_for("RuntimeError: the reason");
    let status = cluster.order("status");
    assert!(status.contains(" ago: reload failed: the new worker 0 exited: code 1"), "{status}");
    let seen = load.finish_unharmed();
    assert!(seen.iter().all(|who| before.values().any(|pid| *pid == who.pid)), "{before:?} were replaced");
    project.save("src/version.py", &version("two"));
    all_are(&cluster, 1, "two");
    cluster.stop();
}

#[test]
fn the_last_version_wins_over_one_that_hangs() {
    let Some(project) = Project::new() else { return };
    let cluster = project.start("src");
    project.save("src/version.py", "import time\ntime.sleep(1000)\n");
    cluster.log().wait_for_count(RELOADING, 1, PATIENCE);
    cluster.log().wait_for_count("worker 0 started, pid ", 2, PATIENCE);
    project.save("src/version.py", &version("two"));
    all_are(&cluster, 1, "two");
    assert_eq!(told(&cluster).len(), 2, "{}", cluster.log().text());
    cluster.stop();
}

#[test]
fn what_is_ignored_does_nothing() {
    let Some(project) = Project::new() else { return };
    let cluster = project.start(".");
    for name in
        ["web.log", "tmp/out.py", ".git/index", "src/.app.py.swp", "src/app.py~", "src/__pycache__/a.pyc"]
    {
        project.write(name, "1");
    }
    // Had one of these counted, it would be named with this one, or before it.
    project.save("src/version.py", &version("two"));
    all_are(&cluster, 1, "two");
    let changed = format!("{} has changed: reloading", project.at("src/version.py").display());
    assert_eq!(told(&cluster), [changed]);
    cluster.stop();
}

#[test]
fn a_burst_is_one_change() {
    let Some(project) = Project::new() else { return };
    let cluster = project.start(".");
    // It finds all of them at a time then, however long they take to write.
    pause(cluster.pid());
    for number in 0..100 {
        project.write(&format!("src/made/{}/{number}.py", number % 10), "");
    }
    project.save("src/version.py", &version("two"));
    resume(cluster.pid());
    wait_until("the last file has been noticed", PATIENCE, || {
        let counts = told(&cluster)
            .iter()
            .map(|line| {
                let more = line.split_once("(and ").and_then(|(_, rest)| rest.split_once(" more)"));
                1 + more.map_or(0, |(count, _)| count.parse::<usize>().expect("a number"))
            })
            .collect::<Vec<_>>();
        counts.iter().sum::<usize>() >= 101
    });
    let lines = told(&cluster);
    assert!(lines.len() <= 2, "{lines:?}");
    cluster.log().wait_for_count(DONE, 1, PATIENCE);
    all_are(&cluster, 1, "two");
    cluster.stop();
}

#[test]
fn more_folders_than_can_be_watched_are_told_once_and_do_no_harm() {
    let Some(project) = Project::new() else { return };
    if !require("unshare") {
        return;
    }
    for number in 0..20 {
        project.write(&format!("src/many/{number}/a.py"), "");
    }
    let limit = "echo 5 >/proc/sys/user/max_inotify_watches && exec \"$@\"";
    let limited = ["unshare", "--user", "--map-root-user", "--", "sh", "-c", limit, "sh"];
    let cluster = project.start_with("src", Options::workers(2).below(&limited));
    let load = Load::start(&cluster.target(), 4, "/");
    // The uppermost folder was watched before there was too much.
    project.save("src/version.py", &version("two"));
    all_are(&cluster, 1, "two");
    project.write("../one/more.py", "");
    fs::rename(project.at("../one"), project.at("src/one")).expect("the folders are ours");
    cluster.log().wait_for("src/one/more.py has changed");
    let told = cluster.log().lines_with("fs.inotify.max_user_watches");
    assert!(matches!(&told[..], [line] if line.contains("go unnoticed: ")), "{told:?}");
    load.finish_unharmed();
    cluster.stop();
}

#[test]
fn a_path_that_is_not_there_is_refused() {
    let folder = TempDir::new();
    let output = cli_command(folder.path(), "run --watch missing -- true").output().expect("it starts");
    let said = Said {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    assert_eq!(said.refusal(2), "clustermon: --watch \"missing\": No such file or directory (os error 2)");
}
