//! What tests of UDP have in common: each way in which the kernel can choose among the workers' sockets is forced by the variable
//! `CLUSTERMON_STEERING` of the supervisor: `program` (flow:program), `random` (flow:hash) or `shared` (flow:kernel).

/// What stands for TCP as well: the levels, those at which a worker can be left out, and whether one can be had.
pub(super) use super::levels::{LEVELS, SPLIT as STEERED, has};
use harness::{Answer, Cluster, Flow, Options, PATIENCE, Port, app_dir, interpreter, require, wait_until};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// By the library, and by a seccomp filter as programs have it that the library cannot enter.
pub(super) const WAYS: [&str; 2] = ["--intercept preload", "--intercept seccomp"];
/// Replaced without waiting, however young.
pub(super) const AT_ONCE: &str = "--min-uptime 1ms --restart-delay 1ms";
pub(super) const SOON: &str = "--min-healthy-time 50ms --idle-grace 300ms";

/// Each level in each way of interception.
pub(super) fn each(levels: &[&'static str]) -> Vec<(&'static str, &'static str)> {
    levels.iter().flat_map(|level| WAYS.map(|way| (*level, way))).collect()
}

/// A cluster of python/datagrams.py.
pub(super) struct Served {
    pub(super) cluster: Cluster,
    pub(super) port: Port,
    pub(super) host: IpAddr,
}

impl Served {
    pub(super) fn start(
        workers: usize,
        level: &str,
        change: impl FnOnce(Options) -> Options,
    ) -> Option<Self> {
        Self::at("127.0.0.1", workers, level, change)
    }

    #[track_caller]
    pub(super) fn at(
        bind: &str,
        workers: usize,
        level: &str,
        change: impl FnOnce(Options) -> Options,
    ) -> Option<Self> {
        if !require("python3") || !has(level) {
            return None;
        }
        let port = Port::free();
        let options = Options::workers(workers)
            .env("CLUSTERMON_STEERING", level)
            .env("UDP_HOST", bind)
            .env("UDP_PORT", port.number().to_string())
            .flags(&format!("--share udp:{}", port.number()));
        let command = [interpreter("python3"), app_dir().join("python/datagrams.py").into_os_string()];
        let cluster = Cluster::start_command(&command, change(options));
        let host = if bind == "::1" { bind } else { "127.0.0.1" }.parse().expect("an address");
        Some(Self { cluster, port, host })
    }

    pub(super) fn flow(&self) -> Flow {
        Flow::to(SocketAddr::new(self.host, self.port.number()))
    }

    pub(super) fn flows(&self, count: usize) -> Vec<Flow> {
        (0..count).map(|_| self.flow()).collect()
    }

    pub(super) fn balancer(&self) -> serde_json::Value {
        let balancers = self.cluster.inspect()["load_balancers"].clone();
        let is_its =
            |one: &&serde_json::Value| one["address"].as_str().is_some_and(|at| at.starts_with("udp:"));
        balancers.as_array().expect("a list").iter().find(is_its).expect("it is served").clone()
    }

    #[track_caller]
    pub(super) fn wait_rotation(&self, ids: &[&str]) {
        wait_until(&format!("the rotation is {ids:?}"), PATIENCE, || {
            let rotation = self.balancer()["rotation"].clone();
            let mut rotation: Vec<String> = serde_json::from_value(rotation).expect("names");
            rotation.sort();
            rotation == ids
        });
    }

    /// Workers of so many flows that begin now.
    pub(super) fn ids_of_new(&self, count: usize) -> BTreeSet<String> {
        self.flows(count).iter_mut().map(|flow| flow.ask().id).collect()
    }
}

/// Clients that each ask once from an address and port of their own, one after the other, until told to stop; how many were answered, and not.
pub(super) fn ask_on(
    served: &Served,
    ask: fn(&mut Flow) -> Option<Answer>,
    meanwhile: impl FnOnce(&AtomicUsize),
) -> (usize, usize) {
    let (over, done, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let server = SocketAddr::new(served.host, served.port.number());
                    let answer = ask(&mut Flow::from_elsewhere(server));
                    let count = if answer.is_some() { &done } else { &failed };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also where it panics, or the clients would go on.
        let end = EndOnDrop(&over);
        meanwhile(&done);
        drop(end);
    });
    (done.into_inner(), failed.into_inner())
}

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[track_caller]
pub(super) fn wait_for_more(done: &AtomicUsize, count: usize) {
    let goal = done.load(Ordering::Relaxed) + count;
    wait_until("some more are answered", PATIENCE, || done.load(Ordering::Relaxed) >= goal);
}
