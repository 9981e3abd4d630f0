//! Open credits that stay open over one vain accept, where the process is told of their record again; and what a thread took off
//! its lane and did not use.

use harness::{
    App, Cluster, Listen, Load, Options, PATIENCE, Pid, app, app_dir, interpreter, signal, wait_for_ids,
    wait_until, who,
};
use std::ffi::OsString;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;

/// Takes all there is, then waits in its epoll set. SIGUSR2: from then on the set tells of what comes only once.
const SERVER: &str = "
import select, signal, sys
sys.path.insert(0, sys.argv[1])
import blocking
listener = blocking.listener
listener.setblocking(False)
told = select.epoll()
told.register(listener, select.EPOLLIN)
signal.signal(signal.SIGUSR2, lambda *_: told.modify(listener, select.EPOLLIN | select.EPOLLET))
MORE
def accept():
    while True:
        try: return listener.accept()[0]
        except BlockingIOError: told.poll()
blocking.main(accept)
";

/// It has another set that it never waits on: then the library does not follow how it stands in the first one.
const SPARE: &str = "
spare = select.epoll()
spare.register(listener, select.EPOLLIN)
";

/// Starts a server as its child, and waits by poll() for its end.
const WRAPPER: &str = "
import select, signal, subprocess, sys
child = subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]])
signal.signal(signal.SIGTERM, lambda *_: child.terminate())
wait = select.poll()
while child.poll() is None: wait.poll(20)
";

/// After SIGUSR2 it takes the next record off the lane itself and forgets it, as a thread does that is cancelled once it has one.
const FORGETFUL: &str = "
import ctypes, platform, select, signal, sys
sys.path.insert(0, sys.argv[1])
import blocking
listener = blocking.listener
listener.setblocking(False)
told = select.epoll()
told.register(listener, select.EPOLLIN)
libc = ctypes.CDLL(None)
recvfrom = {'x86_64': 45, 'aarch64': 207}[platform.machine()]
forgets = []
signal.signal(signal.SIGUSR2, lambda *_: forgets.append(True))
def accept():
    while True:
        told.poll()
        if forgets:
            taken = libc.syscall(recvfrom, listener.fileno(), ctypes.create_string_buffer(256), 256, 0, None, None)
            if taken > 0:
                forgets.clear()
                print('forgotten', flush=True)
            continue
        try: return listener.accept()[0]
        except BlockingIOError: pass
blocking.main(accept)
";

/// Its parent holds the lane, and waits by select() for a pipe, as gunicorn's does.
const PARENT: &str = "
import os
child = os.fork()
if child:
    signal.signal(signal.SIGTERM, lambda *_: (os.kill(child, signal.SIGTERM), os._exit(0)))
    while True: select.select([os.pipe()[0]], [], [], 1)
told = select.epoll()
told.register(listener, select.EPOLLIN)
";

/// The server, with this before it begins to serve.
fn server(more: &str) -> String {
    SERVER.replace("MORE", more)
}

fn start(script: &str, workers: usize) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let directory = app_dir().join("python").into_os_string();
    let command: [OsString; 5] =
        [interpreter("python3"), "-c".into(), script.into(), directory, server("").into()];
    let options = Options::workers(workers).listen(Listen::Host("127.0.0.1")).flags("--dispatch credit");
    let cluster = Cluster::start_command(&command, options);
    wait_for_ids(&cluster.target(), &app, workers);
    Some((cluster, app))
}

/// Whether a page says so of those that the process has: the one of its lane and, if it was forked, its parent's, which nobody uses.
fn may_stay_open(pid: Pid) -> bool {
    /// Where it stands in the page.
    const PLACE: u64 = 768;
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it lives");
    let memory = File::open(format!("/proc/{pid}/mem")).expect("it is ours");
    maps.lines().filter(|line| line.contains("clustermon-lane")).any(|page| {
        let begin = page.split_once('-').and_then(|(begin, _)| u64::from_str_radix(begin, 16).ok());
        let mut word = [0; 4];
        memory.read_exact_at(&mut word, begin.expect("an address") + PLACE).expect("it is mapped");
        u32::from_ne_bytes(word) != 0
    })
}

/// So many processes that serve.
fn servers(cluster: &Cluster, count: usize) -> Vec<Pid> {
    let mut pids = Vec::new();
    wait_until("each has answered", PATIENCE, || {
        pids.push(who(&cluster.target()).expect("an answer").pid);
        pids.sort_unstable();
        pids.dedup();
        pids.len() == count
    });
    pids
}

#[test]
fn stay_open_where_other_processes_have_no_part_in_it() {
    for (script, count) in [(server(""), 2), (WRAPPER.to_owned(), 2), (server(PARENT), 2)] {
        let Some((cluster, _)) = start(&script, 2) else { return };
        let servers = servers(&cluster, count);
        let is_first = cluster.started().values().all(|worker| servers.contains(worker));
        assert_eq!(is_first, script == server(""), "where else it is not the first process that serves");
        wait_until("all may", PATIENCE, || servers.iter().all(|pid| may_stay_open(*pid)));
        cluster.stop();
    }
}

#[test]
fn no_longer_stay_open_where_the_program_is_told_once_from_now_on() {
    for more in ["", SPARE] {
        let Some((cluster, _)) = start(&server(more), 2) else { return };
        let servers = servers(&cluster, 2);
        wait_until("both may", PATIENCE, || servers.iter().all(|pid| may_stay_open(*pid)));
        servers.iter().for_each(|pid| signal(*pid, libc::SIGUSR2));
        let load = Load::start(&cluster.target(), 16, "/");
        wait_until("it has been seen of both", PATIENCE, || servers.iter().all(|pid| !may_stay_open(*pid)));
        let so_far = load.done();
        wait_until("it goes on", PATIENCE, || load.done() > so_far + 500);
        let still = servers.iter().any(|pid| may_stay_open(*pid));
        assert!(!still, "it is looked at anew, and is as before");
        load.finish_unharmed();
        cluster.stop();
    }
}

#[test]
fn a_single_that_was_taken_and_not_used_costs_nobody_anything() {
    for workers in [1, 2] {
        let Some((cluster, app)) = start(FORGETFUL, workers) else { return };
        let servers = servers(&cluster, workers);
        for round in 1..=5 {
            signal(servers[0], libc::SIGUSR2);
            // Others may be asked before it is its turn.
            wait_until("it has forgotten one", PATIENCE, || {
                who(&cluster.target()).expect("an answer, of whoever it was");
                cluster.stdout().count("forgotten") == round
            });
            wait_for_ids(&cluster.target(), &app, workers);
            assert_eq!(self::servers(&cluster, workers), servers, "each has its turn again");
        }
        cluster.stop();
    }
}
