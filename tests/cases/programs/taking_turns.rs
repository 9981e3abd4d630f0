//! Preforking servers whose children take turns to accept, by a lock, or serve one connection each: they go on with the
//! lane that they came by, so that nobody waits in one while a connection lies in another.

use harness::{
    App, Cluster, Listen, Options, PATIENCE, app, app_dir, ask_in_turn, interpreter, wait_until, who,
};
use std::ffi::OsString;

/// Forks three children with code of its own after `blocking` has listened.
const PARENT: &str = "
import fcntl, multiprocessing, os, select, signal, socket, sys
sys.path.insert(0, sys.argv[1])
import blocking
listener = blocking.listener
shared = multiprocessing.Lock()
name = f'lock-{os.getpid()}'
def by_turns(lock, unlock, wait):
    listener.setblocking(False)
    def accept():
        lock()
        try:
            while True:
                wait()
                try: return listener.accept()[0]
                except BlockingIOError: pass
        finally: unlock()
    blocking.main(accept)
def child():
    CHILD
children = []
def stop(*_):
    for child in children: os.kill(child, signal.SIGTERM)
    os._exit(0)
BEFORE
for _ in range(3):
    pid = os.fork()
    if pid == 0: child()
    children.append(pid)
signal.signal(signal.SIGTERM, stop)
while True: signal.pause()
";

/// A semaphore, which sleeps in a futex, around a blocking accept().
const SEMAPHORE: &str = "
    def accept():
        with shared: return listener.accept()[0]
    blocking.main(accept)";

/// A lock on a file around a poll() over two listeners.
const FILE: &str = "
    lock = open(name, 'w')
    second = socket.create_server(('127.0.0.1', 0))
    both = select.poll()
    for one in listener, second: both.register(one, select.POLLIN)
    by_turns(lambda: fcntl.lockf(lock, fcntl.LOCK_EX), lambda: fcntl.lockf(lock, fcntl.LOCK_UN), both.poll)";

/// The same with select() and flock().
const SELECT: &str = "
    lock = open(name, 'w')
    wait = lambda: select.select([listener], [], [])
    by_turns(lambda: fcntl.flock(lock, fcntl.LOCK_EX), lambda: fcntl.flock(lock, fcntl.LOCK_UN), wait)";

/// A lock that is tried for before each wait: who has it has the listener in its epoll set, the others wait without.
const EPOLL: &str = "
    lock = open(name, 'w')
    listener.setblocking(False)
    own = select.epoll()
    def accept():
        while True:
            try: fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                own.poll(0.005)
                continue
            own.register(listener, select.EPOLLIN)
            try:
                own.poll(0.005)
                return listener.accept()[0]
            except BlockingIOError: pass
            finally:
                own.unregister(listener)
                fcntl.lockf(lock, fcntl.LOCK_UN)
    blocking.main(accept)";

/// Waits for something to accept, forks a child that accepts it, serves it and ends.
const ONE_EACH: &str = "
import os, select, signal, sys
sys.path.insert(0, sys.argv[1])
import blocking
blocking.listener.setblocking(False)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
while True:
    select.select([blocking.listener], [], [])
    taken, told = os.pipe()
    if os.fork() == 0:
        try: connection = blocking.listener.accept()[0]
        except BlockingIOError: os._exit(0)
        os.close(told)
        connection.setblocking(True)
        try: blocking.serve(connection)
        except ConnectionError: pass
        os._exit(0)
    os.close(told)
    os.read(taken, 1)
    os.close(taken)
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0: break
        except ChildProcessError: break
";

/// What waits where nobody takes it waits for ever: a stall is a failure.
const PATIENT: &str = "--lag-limit 1h";

fn start(script: &str, workers: usize) -> Option<(Cluster, App)> {
    let app = app("python-blocking")?;
    let command: [OsString; 4] =
        [interpreter("python3"), "-c".into(), script.into(), app_dir().join("python").into_os_string()];
    let options = Options::workers(workers).listen(Listen::Host("127.0.0.1")).flags(PATIENT);
    Some((Cluster::start_command(&command, options), app))
}

fn with_child(child: &str) -> String {
    PARENT.replace("CHILD", child).replace("BEFORE", "")
}

/// Several at once, then one after the other, each of which is to be answered.
fn ask(cluster: &Cluster, app: &App) {
    let target = cluster.target();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    who(&target).expect("an answer");
                }
            });
        }
    });
    ask_in_turn(&target, app, 20);
}

#[test]
fn children_that_take_turns_by_a_lock_are_given_what_the_next_may_take() {
    for child in [SEMAPHORE, FILE, SELECT, EPOLL] {
        let Some((cluster, app)) = start(&with_child(child), 2) else { return };
        ask(&cluster, &app);
        wait_until("who has accepted is a member", PATIENCE, || {
            ask_in_turn(&cluster.target(), &app, 2);
            let workers = ["0", "1"].map(|id| cluster.inspect_worker(id));
            workers
                .iter()
                .all(|worker| worker["members"].as_array().is_some_and(|members| !members.is_empty()))
        });
        cluster.stop();
    }
}

#[test]
fn children_that_serve_one_connection_each_are_in_nobodys_way() {
    let Some((cluster, app)) = start(ONE_EACH, 2) else { return };
    ask(&cluster, &app);
    cluster.stop();
}
