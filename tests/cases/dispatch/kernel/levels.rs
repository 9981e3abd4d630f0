//! What tests of kernel dispatch have in common: the levels at which the kernel can choose, each forced by the variable
//! `CLUSTERMON_STEERING` of the supervisor, and clients whose answers are not waited for.

use harness::{Cluster, Conn, Target};
use std::collections::BTreeSet;

/// Those with a socket for each worker.
pub(crate) const SPLIT: [&str; 2] = ["program", "random"];
pub(crate) const LEVELS: [&str; 3] = ["program", "random", "shared"];
/// Nobody is slow, however slow this machine is.
pub(crate) const PATIENT: &str = "--lag-limit 0 --hang-limit 0";

/// Whether this process, and so its supervisor, may load a program. If not it is said; where all must be there only a process without
/// CAP_BPF is let off.
pub(crate) fn has(level: &str) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("it is there");
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("it is told");
    let capabilities = u64::from_str_radix(line.trim(), 16).expect("a number");
    // CAP_BPF or CAP_SYS_ADMIN.
    let may = level != "program" || capabilities & (1 << 39 | 1 << 21) != 0;
    if !may {
        eprintln!("skipped: an eBPF program needs CAP_BPF");
    }
    may
}

/// The kernel moves queues without a program, so that a test of what stays where it is cannot be made.
pub(crate) fn moves_by_itself() -> bool {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req");
    let moves = text.is_ok_and(|on| on.trim() == "1");
    if moves {
        eprintln!("skipped: net.ipv4.tcp_migrate_req is set, and the kernel moves queues by itself");
    }
    moves
}

pub(crate) fn balancer(cluster: &Cluster, field: &str) -> String {
    let inspection = cluster.inspect();
    inspection["load_balancers"][0][field].as_str().expect("it is told").to_owned()
}

/// So many clients that have asked, without waiting for the answers.
pub(crate) fn burst(target: &Target, count: usize) -> Vec<Conn> {
    let ask = |_| {
        let mut conn = Conn::open(target).expect("somebody listens");
        conn.last_request("/").expect("it is written");
        conn
    };
    (0..count).map(ask).collect()
}

/// Each of these is answered.
#[track_caller]
pub(crate) fn answers(clients: Vec<Conn>) -> BTreeSet<String> {
    let answer = |mut conn: Conn| conn.response().and_then(|response| response.who()).expect("an answer").id;
    clients.into_iter().map(answer).collect()
}
