//! Workers that are stopped, by somebody or by the terminal that they want to read: it is told, and they can be ended. A
//! supervisor that is stopped is told of by whoever asks it.

use harness::{
    Cluster, Options, PATIENCE, app, app_dir, cli, interpreter, is_alive, open, pause, require, resume,
    signal, state, wait_for, wait_until,
};

/// Says so when it ends by its handler.
const ENDS_WELL: &str = "import signal, sys
def bye(*_):
    print('closed', flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, bye)
print('up', flush=True)
while True: signal.pause()";

#[test]
fn the_stopped_go_on_when_they_are_to_end() {
    if !require("python3") {
        return;
    }
    let options = Options::workers(1).flags("--stop-timeout infinity").at_once();
    let cluster = Cluster::start_command(&["python3", "-c", ENDS_WELL], options);
    cluster.stdout().wait_for("up");
    pause(cluster.started()["0"]);
    let out = cluster.stdout().clone();
    cluster.stop();
    assert_eq!(out.count("closed"), 1);
}

#[test]
fn who_is_stopped_is_told_and_who_goes_on_is_not() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(1));
    let pid = cluster.started()["0"];
    pause(pid);
    cluster.log().wait_for("worker 0 is stopped (SIGSTOP); SIGCONT lets it go on");
    assert_eq!(cluster.inspect_worker("0")["suspended"], "stopped (SIGSTOP)");
    assert!(cluster.order("status").contains("stopped (SIGSTOP)"));
    resume(pid);
    wait_until("it is no longer told", PATIENCE, || cluster.inspect_worker("0").get("suspended").is_none());
    open(&cluster.target(), &app).who().expect("an answer");
    cluster.stop();
}

/// It asks for a passphrase at its start. The signal that asks it to end kills one; the other has a handler, which takes some
/// steps, while another thread of it goes on asking, for which the whole process is stopped again.
#[test]
fn who_wants_to_read_the_terminal_is_told_and_ends() {
    if !require("python3") {
        return;
    }
    let plain = "import getpass; getpass.getpass()";
    let handles = "import getpass, signal, os, threading, time
def ask():
    while True:
        try: getpass.getpass()
        except BaseException: pass
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
threading.Thread(target=ask, daemon=True).start()
while not asked: time.sleep(0.001)
os.write(1, b'closed\\n'); os._exit(0)";
    let python = interpreter("python3").into_string().expect("a plain path");
    let terminal =
        app_dir().join("python/on_terminal.py").into_os_string().into_string().expect("a plain path");
    for (script, closed) in [(plain, 0), (handles, 1)] {
        let options = Options::workers(1).flags("--stop-timeout infinity --name web").at_once();
        let below = [python.as_str(), &terminal, "leader"];
        let mut cluster = Cluster::start_command(&["python3", "-c", script], options.below(&below));
        cluster.log().wait_for("worker 0 is stopped by the terminal (SIGTT");
        let pid = wait_for("it is started", PATIENCE, || cluster.started().get("0").copied());
        wait_until("it is stopped", PATIENCE, || state(pid) == Some('T'));
        assert!(cluster.order("status").contains("stopped by the terminal (SIGTT"));
        let inspected = cluster.inspect();
        let supervisor = inspected["pid"].as_u64().expect("a pid") as harness::Pid;
        signal(supervisor, libc::SIGINT);
        wait_until("it ends", PATIENCE, || !is_alive(supervisor));
        cluster.signal(libc::SIGUSR1);
        cluster.wait_exit();
        cluster.assert_nothing_left();
        assert_eq!(cluster.stdout().count("closed"), closed);
    }
}

#[test]
fn a_supervisor_that_is_stopped_is_named_with_the_way_to_continue_it() {
    let Some(app) = app("c-epoll") else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--name web"));
    let pid = cluster.pid();
    pause(pid);
    let told = cli(&cluster.runtime_dir(), "status web");
    let expected = format!(
        "clustermon: the supervisor, process {pid}, has not answered within 100ms: it is stopped; \
         `kill -CONT {pid}` lets it go on"
    );
    assert_eq!(told.refusal(1), expected);
    let told = cli(&cluster.runtime_dir(), "start web --wait-timeout 300ms");
    assert_eq!(told.refusal(1), expected.replace("100ms", "300ms"));
    resume(pid);
    assert!(cluster.order("status web").contains("2 of 2 workers running"));
    open(&cluster.target(), &app).who().expect("it serves again");
    cluster.stop();
}
