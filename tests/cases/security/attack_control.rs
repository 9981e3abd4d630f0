//! Clients of the control socket that connect and do not come to the point: who wants something is served all the same.

use harness::{Cluster, Load, Options, PATIENCE, RawControl, app, is_alive, signal, wait_until};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// As many as it serves at a time.
const CLIENTS: usize = 64;

fn socket(cluster: &Cluster) -> PathBuf {
    cluster.runtime_dir().join("epoll.sock")
}

/// Another process that holds so many connections, on each of which it has said the bytes.
struct Holder(Child);

impl Holder {
    fn start(path: &Path, count: usize, bytes: &str) -> Self {
        let script = "
import socket, sys
held = []
for _ in range(int(sys.argv[2])):
    link = socket.socket(socket.AF_UNIX)
    link.connect(sys.argv[1])
    link.sendall(sys.argv[3].encode())
    held.append(link)
print('held', flush=True)
sys.stdin.read()
";
        let mut command = Command::new(harness::interpreter("python3"));
        command.args(["-c", script]).arg(path).arg(count.to_string()).arg(bytes);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = [0; 5];
        let output = child.stdout.as_mut().expect("it is a pipe");
        std::io::Read::read_exact(output, &mut line).expect("it connects");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        signal(self.0.id(), libc::SIGKILL);
        let _ = self.0.wait();
    }
}

#[test]
fn one_that_holds_all_connections_makes_room() {
    let Some(app) = app("c-epoll") else { return };
    if !harness::require("python3") {
        return;
    }
    for bytes in ["", "{\"v\":1,\"do\":", "{\"v\":1,\"do\":\"events\"}\n"] {
        let cluster = Cluster::start(&app, Options::workers(2));
        let load = Load::start(&cluster.target(), 2, "/");
        let holder = Holder::start(&socket(&cluster), CLIENTS, bytes);
        for _ in 0..20 {
            assert_eq!(cluster.order("status -q"), "", "{bytes:?}");
        }
        let part = format!("control: process {} of user ", holder.0.id());
        cluster.log().wait_for(&part);
        cluster.log().wait_for("one makes room for another's");
        cluster.assert_few_lines("one makes room for another's");
        let samples = load.finish();
        assert!(
            !samples.is_empty() && samples.iter().all(|sample| sample.result.is_ok()),
            "a request failed"
        );
        drop(holder);
        cluster.stop();
    }
}

#[test]
fn many_that_hold_one_each_make_room_once_they_have_been_silent() {
    let Some(app) = app("c-epoll") else { return };
    if !harness::require("python3") {
        return;
    }
    let cluster = Cluster::start(&app, Options::workers(1));
    let path = socket(&cluster);
    // Four processes, none of which has more than its part.
    let holders: Vec<_> = (0..4).map(|_| Holder::start(&path, CLIENTS / 4, "{\"v\"")).collect();
    wait_until("the silent ones make room", PATIENCE, || cluster.cli("status -q").code == Some(0));
    // Who follows events is not silent for no reason: it waits for them.
    drop(holders);
    wait_until("they are gone", PATIENCE, || cluster.fd_count() < 40);
    let followers: Vec<_> =
        (0..4).map(|_| Holder::start(&path, CLIENTS / 4, "{\"v\":1,\"do\":\"events\"}\n")).collect();
    assert!(cluster.cli("status -q").err.contains("64 clients are connected already"));
    drop(followers);
    wait_until("they are gone", PATIENCE, || cluster.cli("status -q").code == Some(0));
    cluster.stop();
}

#[test]
fn a_request_that_comes_byte_by_byte_is_answered_in_the_end() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1));
    let path = socket(&cluster);
    let mut slow = RawControl::open(&path);
    let mut others = RawControl::open(&path);
    for byte in b"{\"v\":1,\"do\":\"inspect\"}\n" {
        slow.say(&[*byte]);
        others.say(b"{\"v\":1,\"do\":\"inspect\"}\n");
        assert!(others.hear().contains("\"ok\":true"));
    }
    assert!(slow.hear().contains("\"ok\":true"));
    cluster.stop();
}

#[test]
fn ten_thousand_connects_are_taken_in_turns() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2));
    let load = Load::start(&cluster.target(), 2, "/");
    let path = socket(&cluster);
    let mut made = 0;
    while made < 10_000 {
        // It may hang up on any of these at once.
        if let Ok(mut link) = UnixStream::connect(&path) {
            let _ = link.write_all(b"{");
            made += 1;
        }
    }
    wait_until("requests go on", Duration::from_secs(60), || load.done() >= 100);
    let samples = load.finish();
    assert!(samples.iter().all(|sample| sample.result.is_ok()), "a request failed");
    cluster.assert_few_lines("was turned away");
    assert_eq!(cluster.order("status -q"), "");
    assert!(is_alive(cluster.pid()));
    cluster.stop();
}
