//! What a program that links the library brings of its own: a logger, a judge of health. A test binary of its own,
//! because a process has one logger.

#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines")]

mod common;

use clustermon::api::{Action, Target};
use clustermon::config::{Builder, Capture};
use clustermon::{Cluster, Environment};
use common::{LIMIT, demo, port};
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A free port of its own for the workers.
fn on_a_port(builder: Builder) -> Builder {
    let port = port();
    builder.environment(move |_| Environment::Inherited(vec![("PORT".into(), port.to_string().into())]))
}

fn running(builder: Builder) -> Cluster {
    let cluster = on_a_port(builder).start().unwrap();
    cluster.command(Action::Start { target: Target::Cluster }, Some(LIMIT)).unwrap();
    cluster
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Keeps everything.
struct Kept(Mutex<Vec<(Level, String, String)>>);

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.target().to_owned(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }

    fn flush(&self) {}
}

static KEPT: Kept = Kept(Mutex::new(Vec::new()));

fn logged(level: Level, target: &str, part: &str) -> bool {
    let kept = KEPT.0.lock().unwrap();
    kept.iter().any(|(at, of, text)| *at == level && of.starts_with(target) && text.contains(part))
}

#[test]
fn a_logger_of_ones_own_is_told_all() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let script = format!("echo to-stdout; echo to-stderr >&2; exec {}", demo().display());
    let builder = Cluster::builder(["sh", "-c", &script]).name("logged").workers(1).capture(Capture::Log);
    let cluster = running(builder);
    until("a captured line of stdout", || logged(Level::Info, "clustermon::stdout", "[logged/0] to-stdout"));
    until("one of stderr", || logged(Level::Info, "clustermon::stderr", "[logged/0] to-stderr"));
    assert!(logged(Level::Info, "clustermon", "worker 0 started, pid "));
    cluster.worker("0").unwrap().signal(nix::libc::SIGKILL).unwrap();
    until("an exit", || logged(Level::Info, "clustermon", "worker 0 exited: signal SIGKILL"));
}

#[test]
fn a_worker_that_is_judged_unhealthy_is_restarted() {
    static CONDEMNED: AtomicU64 = AtomicU64::new(0);
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let builder = Cluster::builder([demo()]).name("judged").workers(2).pulse(Duration::from_millis(50));
    let cluster = running(builder.on_health(|id, health| {
        assert!(health.rss > 0, "every process has memory");
        SEEN.fetch_add(1, Ordering::SeqCst);
        // The second worker, once.
        id != "1" || CONDEMNED.fetch_add(1, Ordering::SeqCst) > 0
    }));
    let before: Vec<_> = cluster.inspect().workers.iter().map(|worker| worker.started_at).collect();
    until("it is judged and restarted", || {
        let now = cluster.inspect().workers;
        now[1].restarts == 1 && now[1].pid.is_some() && CONDEMNED.load(Ordering::SeqCst) > 2
    });
    let after = cluster.inspect().workers;
    assert_eq!((after[0].restarts, after[0].started_at), (0, before[0]), "the other is well");
    assert!(SEEN.load(Ordering::SeqCst) > 3);
    until("both run", || cluster.count_running_workers() == 2);
}
