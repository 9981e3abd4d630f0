//! The control socket itself: names, paths, what a dead supervisor leaves, and clients that mean no good.

use harness::{Cluster, Options, RawControl, TempDir, app, cli, clustermon, require};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

const INSPECT: &[u8] = b"{\"v\":1,\"do\":\"inspect\"}\n";

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).mode() & 0o777
}

#[test]
fn a_name_belongs_to_one() {
    let Some(app) = app("c-epoll") else { return };
    let first = Cluster::start(&app, Options::workers(1));
    let folder = first.runtime_dir();
    assert_eq!(mode(&folder.join("epoll.sock")), 0o600);
    // The same program again, without a name.
    let options = || Options::workers(1).env("RUNTIME_DIRECTORY", &folder);
    let second = Cluster::start(&app, options());
    let warned =
        format!("the name epoll is taken by process {}: this cluster is called epoll-2", first.pid());
    second.log().wait_for(&warned);
    let list = first.order("list");
    assert!(list.contains("\nepoll    running") && list.contains("\nepoll-2  running"), "{list}");
    let told = "clustermon: which cluster? there are epoll, epoll-2; `all` means all of them";
    assert_eq!(first.cli("reload").refusal(3), told);
    for (name, cluster) in [("epoll", &first), ("epoll-2", &second)] {
        assert!(first.order(&format!("status {name}")).contains(&format!("pid {}", cluster.pid())));
    }
    // Where the name was asked for, no other will do.
    let mut third = Cluster::start(&app, options().flags("--name epoll-2").at_once());
    assert_eq!(third.wait_exit().code(), Some(2));
    let told = third.log().text();
    let part = format!("--name epoll-2: process {} runs a cluster of this name already", second.pid());
    assert!(told.contains(&part) && told.lines().count() == 1, "{told}");
    drop(third);
    second.stop();
    assert!(first.order("status").contains("epoll: running"));
    first.stop();
}

#[test]
fn what_the_dead_left_is_replaced() {
    let Some(app) = app("c-epoll") else { return };
    let mut dead = Cluster::start(&app, Options::workers(1));
    let folder = dead.runtime_dir();
    dead.signal(libc::SIGKILL);
    dead.wait_exit();
    let path = folder.join("epoll.sock");
    assert!(path.exists());
    let told = "epoll does not run: its supervisor was killed";
    assert!(dead.cli("status").refusal(3).starts_with(&format!("clustermon: {told}")));
    assert!(dead.order("list").contains(told));
    let at = dead.cli(&format!("status --control {}", path.display()));
    assert!(at.refusal(3).contains("nobody listens there"), "{at:?}");
    let options = Options::workers(1).env("RUNTIME_DIRECTORY", &folder).flags("--name epoll");
    let next = Cluster::start(&app, options);
    assert!(dead.order("status").contains(&format!("pid {}", next.pid())));
    next.stop();
    assert!(!path.exists());
}

#[test]
fn a_path_of_ones_own_or_none() {
    let Some(app) = app("c-epoll") else { return };
    let folder = TempDir::new();
    let path = folder.path().join("own.sock");
    let cluster = Cluster::start(&app, Options::workers(1).flags(&format!("--control {}", path.display())));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(cluster.cli("status").code, Some(3), "it is not found by name");
    assert!(cluster.order(&format!("status --control {}", path.display())).starts_with("epoll: running"));
    let said = cluster.cli(&format!("status epoll --control {}", path.display()));
    assert!(said.refusal(2).contains("leave epoll away"), "{said:?}");
    let flags = format!("--control {}", path.display());
    let mut other = Cluster::start(&app, Options::workers(1).flags(&flags).at_once());
    assert_eq!(other.wait_exit().code(), Some(2));
    assert!(other.log().text().contains("listens there already"), "{}", other.log().text());
    drop(other);
    // It removes only what is its own.
    fs::remove_file(&path).expect("it is there");
    fs::write(&path, "something else").expect("the directory is writable");
    cluster.stop();
    assert!(path.exists());

    let none = Cluster::start(&app, Options::workers(1).flags("--control none"));
    assert!(none.temp().socket_files().is_empty());
    none.stop();
}

#[test]
fn bad_paths_are_refused() {
    let folder = TempDir::new();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").expect("it is writable");
    for (path, part) in [
        (plain.clone(), "no socket"),
        (folder.path().to_owned(), "no socket"),
        (folder.path().join("missing/c.sock"), "No such file"),
        (plain.join("c.sock"), "Not a directory"),
    ] {
        let said = cli(folder.path(), &format!("run -n 1 --control {} -- sleep 1000", path.display()));
        assert!(said.refusal(2).contains(part), "{said:?}");
    }
    assert_eq!(fs::read(&plain).expect("it is there"), b"x");
}

#[test]
fn garbage_harms_nobody() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1));
    let path = cluster.runtime_dir().join("epoll.sock");
    let mut client = RawControl::open(&path);
    for (line, part) in [
        (&b"GET / HTTP/1.1\r\n"[..], "\"kind\":\"bad_request\""),
        (b"\x00\xff\xfe\n", "no JSON"),
        (b"{\"v\":99,\"do\":\"inspect\"}\n", "speaks version 1 of the protocol, not 99"),
        (b"{\"v\":1,\"do\":\"stop\"}\n", "target"),
        (b"{\"v\":1,\"do\":\"restart\",\"target\":{\"worker\":\"7\"}}\n", "\"kind\":\"no_such_worker\""),
    ] {
        client.say(line);
        let answer = client.hear();
        assert!(answer.contains("\"ok\":false") && answer.contains(part), "{answer}");
    }
    client.say(&[b' '; 300_000]);
    client.say(b"\n");
    assert!(client.hear().contains("longer than 262144 bytes"));
    // Some that go away in the middle of everything.
    for words in [&b"{\"v\":1,"[..], b"{\"v\":1,\"do\":\"events\"}\n", INSPECT, b""] {
        RawControl::open(&path).say(words);
    }
    client.say(INSPECT);
    assert!(client.hear().contains("\"inspection\":{\"name\":\"epoll\""));
    assert_eq!(cluster.order("status -q"), "");
    cluster.stop();
}

#[test]
fn requests_in_one_go_are_answered_in_their_order() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1).flags("--restart-delay 1ms"));
    let mut client = RawControl::open(&cluster.runtime_dir().join("epoll.sock"));
    let restart = "{\"v\":1,\"do\":\"restart\",\"target\":{\"worker\":\"0\"},\"wait_ms\":30000}\n";
    let inspect = String::from_utf8_lossy(INSPECT);
    client.say(format!("{inspect}{restart}{inspect}{restart}{inspect}").as_bytes());
    let mut pids = Vec::new();
    for at in 0..5 {
        let answer = client.hear();
        if at % 2 == 1 {
            assert_eq!(answer, "{\"v\":1,\"ok\":true,\"told\":\"epoll: worker 0 restarted\"}");
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let worker = &value["inspection"]["workers"][0];
        assert_eq!(worker["state"], "running", "{answer}");
        pids.push(worker["pid"].as_u64().expect("a number"));
    }
    assert!(pids[0] != pids[1] && pids[1] != pids[2], "{pids:?}");
    cluster.stop();
}

#[test]
fn a_flood_does_not_keep_others_waiting() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1));
    let path = cluster.runtime_dir().join("epoll.sock");
    let flood = std::thread::spawn(move || {
        let mut client = RawControl::open(&path);
        let mut answers = 0;
        for _ in 0..30 {
            client.say(&INSPECT.repeat(100));
            answers += (0..100).filter(|_| client.hear().contains("\"ok\":true")).count();
        }
        answers
    });
    let mut asked = 0;
    while !flood.is_finished() {
        harness::open(&cluster.target(), &app).who().expect("connections are served");
        assert_eq!(cluster.order("status -q"), "");
        asked += 1;
    }
    assert_eq!(flood.join().expect("it does not panic"), 3000);
    assert!(asked > 0);
    cluster.stop();
}

#[test]
fn another_user_is_turned_away() {
    // SAFETY: asks for a number only.
    if unsafe { libc::geteuid() } != 0 || !require("setpriv") {
        return;
    }
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1));
    let folder = cluster.runtime_dir();
    let path = folder.join("epoll.sock");
    // A copy that everybody can reach.
    let program = cluster.temp().path().join("clustermon");
    fs::copy(clustermon(), &program).expect("the temporary directory is writable");
    let ask = || {
        let words = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        let mut command = Command::new("setpriv");
        command.args(words).arg(&program).args(["stop", "--control"]).arg(&path);
        let output = command.current_dir("/").stdin(Stdio::null()).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, told) = ask();
    assert!(code == Some(1) && told.contains("Permission denied"), "{code:?} {told}");
    // Even where somebody opens the file to all.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("it is ours");
    let (code, told) = ask();
    assert_eq!((code, told.as_str()), (Some(1), "clustermon: user 65534 may not control this cluster\n"));
    cluster.log().wait_for("of user 65534 was turned away");
    assert_eq!(cluster.order("status -q"), "");
    cluster.stop();
}
