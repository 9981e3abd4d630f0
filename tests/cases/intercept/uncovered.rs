//! Programs that start themselves anew with a cleaned environment, so that the preloaded library is gone: the log and the
//! status say so, and such a worker is not ready by its own word. A listener that is to be private is no fault.

use harness::{Cluster, Options, PATIENCE, Port, TempDir, interpreter, require, wait_until};
use std::ffi::OsString;
use std::fs;

/// Executes itself anew without its environment, listens on what its arguments say, says that it is ready, and goes on. With
/// `CHILD` that is a child of it, which it starts in the same way, and it listens on nothing itself.
const PROGRAM: &str = r#"
import os, socket, sys, time
if os.environ.get("NOTIFY_SOCKET"):
    anew = [sys.executable, __file__, os.environ["ADDRESS"], os.environ["NOTIFY_SOCKET"]]
    if not os.environ.get("CHILD") or os.fork() == 0:
        os.execve(sys.executable, anew, {"PATH": os.environ["PATH"]})
    while True:
        time.sleep(60)
if ":" in sys.argv[1]:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1].split(":")[1])))
else:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen()
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
    out.sendto(b"READY=1", "\0" + sys.argv[2][1:])
while True:
    time.sleep(60)
"#;

fn start(folder: &TempDir, options: Options) -> Option<Cluster> {
    if !require("python3") {
        return None;
    }
    let script = folder.path().join("anew.py");
    fs::write(&script, PROGRAM).expect("the folder is ours");
    let command: [OsString; 2] = [interpreter("python3"), script.into()];
    Some(Cluster::start_command(&command, options.at_once()))
}

#[track_caller]
fn is_told(address: &str, options: Options) {
    let folder = TempDir::new();
    let options = options.flags("--ready notify").env("ADDRESS", address);
    let Some(cluster) = start(&folder, options) else { return };
    let why = format!("listens on {address} outside the cluster: it does not have the preloaded library");
    cluster.log().wait_for(&why);
    wait_until("the status says so too", PATIENCE, || {
        let cause = &cluster.inspect_worker("0")["out_of_rotation"];
        cause["text"].as_str().is_some_and(|text| text.contains(&why))
    });
    let shown = cluster.order("status");
    assert!(shown.contains(&why), "{shown}");
    assert_eq!(cluster.inspect_worker("0")["state"], "starting", "its word is not believed");
    assert_eq!(cluster.log().count(" is ready after "), 0, "{}", cluster.log().text());
    assert_eq!(cluster.log().count(&why), 1, "it is said once");
    cluster.stop();
}

fn port() -> String {
    format!("127.0.0.1:{}", Port::free().number())
}

#[test]
fn a_program_that_cleared_its_environment_is_told_and_not_ready() {
    is_told(&port(), Options::workers(1));
}

#[test]
fn so_is_a_child_of_it() {
    is_told(&port(), Options::workers(1).env("CHILD", "1"));
}

#[test]
fn so_is_one_on_a_path() {
    let folder = TempDir::new();
    let path = folder.path().join("a.sock");
    is_told(path.to_str().expect("it is plain"), Options::workers(1));
}

#[test]
fn what_is_private_is_no_fault_and_the_word_is_believed() {
    let folder = TempDir::new();
    let address = port();
    let options = Options::workers(1).flags("--ready notify").flags(&format!("--private {address}"));
    let Some(cluster) = start(&folder, options.env("ADDRESS", &address)) else { return };
    cluster.log().wait_for("worker 0 is ready after ");
    assert_eq!(cluster.log().count("outside the cluster"), 0, "{}", cluster.log().text());
    assert!(cluster.inspect_worker("0")["out_of_rotation"].is_null());
    cluster.stop();
}
