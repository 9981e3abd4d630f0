//! Other users of the machine: what they send holds up nobody, what they say counts for no worker, and who takes the name of
//! a supervisor that is gone is told nothing.

use harness::{
    Cluster, Options, PATIENCE, Port, app, app_dir, ask_in_turn, conn_to, interpreter, require, shares,
    signal, thunk, wait_for, wait_until,
};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const STRANGER: &str = "65534";
const NOTIFY: &str = "NOTIFY_SOCKET";
const REQUEST: &str = "CLUSTERMON_SOCKET";

/// Somebody else can only be played by root.
fn may_be_another() -> bool {
    // SAFETY: asks for a number only.
    let root = unsafe { libc::geteuid() } == 0;
    if !root || !Path::new("/usr/bin/python3").exists() {
        eprintln!("skipped: only root may become somebody else, with an interpreter that everybody may run");
        return false;
    }
    require("setpriv")
}

/// `outsider.py` as that user.
fn outsider(user: &str, words: [&str; 3]) -> Child {
    // Nobody else may be able to enter where the script lies.
    let script = fs::read_to_string(app_dir().join("python/outsider.py")).expect("it is there");
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]);
    command.args(["/usr/bin/python3", "-c", &script]).args(words).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts")
}

fn line(child: &mut Child) -> String {
    let mut line = String::new();
    let output = child.stdout.as_mut().expect("it is a pipe");
    BufReader::with_capacity(1, output).read_line(&mut line).expect("a pipe");
    line.trim_end().to_owned()
}

/// Lets it end.
fn end(mut child: Child) {
    drop(child.stdin.take());
    assert!(child.wait().expect("it is ours").success());
}

/// What a squatter has seen when it is told to end.
fn counted(mut squatter: Child) -> String {
    drop(squatter.stdin.take());
    let counted = line(&mut squatter);
    end(squatter);
    counted
}

/// Says something at a socket and has ended when this returns.
#[track_caller]
fn say(user: &str, name: &str, text: &str) {
    let mut child = outsider(user, ["say", name, text]);
    assert_eq!(line(&mut child), "said");
    end(child);
}

/// The abstract name in a variable of a worker's process.
fn name(pid: u32, variable: &str) -> String {
    let environ = fs::read(format!("/proc/{pid}/environ")).expect("the worker lives");
    let prefix = format!("{variable}=");
    let entry = environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(prefix.as_bytes()));
    let value = String::from_utf8(entry.expect("it is set").to_vec()).expect("plain text");
    value.trim_start_matches('@').to_owned()
}

fn status(cluster: &Cluster, id: &str) -> Option<String> {
    cluster.inspect_worker(id)["status_text"].as_str().map(str::to_owned)
}

#[track_caller]
fn has_status(cluster: &Cluster, id: &str, text: &str) {
    wait_until(&format!("worker {id} says {text}"), PATIENCE, || {
        status(cluster, id).as_deref() == Some(text)
    });
}

#[test]
fn what_lingers_in_their_messages_holds_up_nobody() {
    let Some(app) = app("python-threads").filter(|_| may_be_another()) else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--ready auto"));
    let pid = cluster.started()["0"];
    let attacks = [(REQUEST, "SOCK_SEQPACKET"), (NOTIFY, "SOCK_DGRAM")];
    let attackers = attacks.map(|(socket, kind)| {
        let mut attacker = outsider(STRANGER, ["linger", &name(pid, socket), kind]);
        let told = line(&mut attacker);
        assert!(["sent=10 refused=0", "sent=0 refused=10"].contains(&told.as_str()), "{told}");
        attacker
    });
    // As long as they are there everybody is served, and so is who asks the supervisor.
    assert_eq!(cluster.order("status -q"), "");
    assert_eq!(shares(&ask_in_turn(&cluster.target(), &app, 20)).len(), 2);
    cluster.log().wait_for("(uid 65534) sent something that is no request");
    signal(pid, libc::SIGKILL);
    wait_until("another comes in its place", PATIENCE, || cluster.started()["0"] != pid);
    wait_until("it listens", PATIENCE, || cluster.ready_count() >= 3);
    attackers.into_iter().for_each(end);
    cluster.stop();
}

#[test]
fn their_word_counts_for_no_worker() {
    let Some(app) = app("python-threads").filter(|_| may_be_another()) else { return };
    let cluster = Cluster::start(&app, Options::workers(2).flags("--watchdog 60s"));
    let before = cluster.started();
    let notify = name(before["0"], NOTIFY);
    for text in ["STOPPING=1", "WATCHDOG=trigger", "STATUS=theirs;READY=1"] {
        say(STRANGER, &notify, text);
    }
    // Root's comes after theirs, so that theirs was read when this is seen.
    say("0", &notify, "STATUS=root's");
    has_status(&cluster, "0", "root's");
    assert_eq!(cluster.started(), before);
    cluster.assert_even(2, || shares(&ask_in_turn(&cluster.target(), &app, 20)));
    let told = "(uid 65534) sent to the notify socket of worker 0, of which it is no process: ignored";
    assert_eq!(cluster.log().count(told), 3);
    cluster.stop();
}

#[test]
fn who_has_ended_is_heard_if_it_was_the_workers_user() {
    if !may_be_another() {
        return;
    }
    let run = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--", "/usr/bin/python3", "-c"];
    // The worker's user may not be able to enter where the scripts lie.
    let server = "import os, socket\nown = socket.socket()\nown.setsockopt(1, 2, 1)\n\
                  own.bind(('127.0.0.1', int(os.environ['PORT'])))\nown.listen(8)\n\
                  while True: own.accept()[0].close()";
    let command: Vec<_> = run.into_iter().chain([server]).collect();
    let cluster = Cluster::start_command(&command, Options::workers(1).flags("--ready auto"));
    let notify = name(cluster.started()["0"], NOTIFY);
    say("12345", &notify, "STATUS=the user's own");
    has_status(&cluster, "0", "the user's own");
    say("12346", &notify, "STATUS=another's");
    cluster.log().wait_for("(uid 12346) sent to the notify socket of worker 0");
    assert_eq!(status(&cluster, "0").as_deref(), Some("the user's own"));
    cluster.stop();
}

#[test]
fn one_worker_does_not_speak_for_another() {
    let Some(app) = app("python-threads") else { return };
    let traitor = [interpreter("python3"), app_dir().join("python/traitor.py").into_os_string()];
    let cluster = Cluster::start_command(&traitor, Options::workers(2).flags("--ready auto"));
    ask_in_turn(&cluster.target(), &app, 4);
    let notify = name(cluster.started()["1"], NOTIFY);
    let mut worker = conn_to(&cluster.target(), &app, "0");
    let told = worker.get(&format!("/notify?name={notify}")).expect("an answer").text();
    assert_eq!(told.trim_end(), "said");
    cluster
        .log()
        .wait_for("of worker 0) sent to the notify socket of worker 1, of which it is no process: ignored");
    assert_eq!(status(&cluster, "1"), None);
    cluster.stop();
}

#[test]
fn who_takes_the_name_of_a_dead_supervisor_is_told_nothing() {
    if !may_be_another() || !require("python3") {
        return;
    }
    let late = [Port::free(), Port::free()];
    let command = [interpreter("python3"), app_dir().join("python/twice.py").into_os_string()];
    let ports = late.each_ref().map(|port| port.number().to_string()).join(" ");
    let options = Options::workers(1).flags("--on-supervisor-death keep").env("LATE_PORTS", ports);
    let mut cluster = Cluster::start_command(&command, options);
    let pid = cluster.started()["0"];
    let mut squatter = outsider(STRANGER, ["squat", &name(pid, REQUEST), ""]);
    cluster.signal(libc::SIGKILL);
    assert_eq!(line(&mut squatter), "taken");
    // Not reaped yet, and reaped.
    signal(pid, libc::SIGUSR1);
    cluster.stdout().wait_for_count("late: ok", 1, PATIENCE);
    cluster.wait_exit();
    signal(pid, libc::SIGUSR1);
    cluster.stdout().wait_for_count("late: ok", 2, PATIENCE);
    assert_eq!(counted(squatter), "links=0 heard=0");
    for port in &late {
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port.number())).ok();
        wait_for("it listens by itself", PATIENCE, listens);
    }
}

/// One that lives, but is not who listens.
#[test]
fn who_listens_must_be_the_supervisor() {
    if !may_be_another() || !require("python3") {
        return;
    }
    let namespace =
        |which: &str| fs::metadata(format!("/proc/self/ns/{which}")).expect("/proc is mounted").ino();
    let namespaces = format!("{}:{}", namespace("pid"), namespace("user"));
    let name = format!("clustermon-test-squat-{}", std::process::id());
    for heard in [false, true] {
        let mut squatter = outsider(STRANGER, ["squat", &name, ""]);
        assert_eq!(line(&mut squatter), "taken");
        // That the same is told to who is the supervisor shows that there was something to hear.
        let told = match heard {
            false => format!("{}:{STRANGER}:{namespaces}", std::process::id()),
            true => format!("{}:{STRANGER}:{namespaces}", squatter.id()),
        };
        let port = Port::free();
        let mut program = Command::new(interpreter("python3"));
        program.arg(app_dir().join("python/twice.py")).env("LD_PRELOAD", thunk());
        program.env("PORT", port.number().to_string()).env("LATE_PORTS", "");
        program
            .env(REQUEST, &name)
            .env("CLUSTERMON_TOKEN", "0".repeat(32))
            .env("CLUSTERMON_SUPERVISOR", told);
        let mut program = program.spawn().expect("it starts");
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port.number())).ok();
        wait_for("it listens by itself", PATIENCE, listens);
        program.kill().expect("it is ours");
        program.wait().expect("it is ours");
        let counted = counted(squatter);
        assert_eq!(!counted.ends_with(" heard=0"), heard, "{counted}");
        assert!(!counted.starts_with("links=0"), "{counted}");
    }
}
