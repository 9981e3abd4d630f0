//! That workers have their turns exactly, which is asked in rounds: a round may be uneven only where the machine was at fault for it.

use crate::clusters::cluster::Cluster;
use crate::system::process::{Pid, threads};
use crate::system::wait::{PATIENCE, wait_for_ok, wait_until};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::time::Duration;

/// A thread that waited longer for a processor, all its waits of a round taken together, may have missed its turn.
const DELAY: Duration = Duration::from_millis(1);

impl Cluster {
    /// That workers have their turns exactly: in one of several rounds all shares are equal but for one. Only on a busy machine the
    /// first may be otherwise: where a turn was late, where a worker was passed over that is given one connection at a time and was
    /// not back in its wait, or where a thread of the cluster could have run and got no processor. A round begins when nobody waits
    /// at the queue itself any more, as workers do for a moment after many connections have come at once; on a busy machine that
    /// moment is longer, and so are the rounds.
    #[track_caller]
    pub fn assert_even<K: Debug>(&self, workers: usize, mut round: impl FnMut() -> BTreeMap<K, usize>) {
        wait_for_ok("each worker has exactly its share", 4 * PATIENCE, || {
            if self.is_any("direct") {
                return Err("a worker waits at the queue itself".to_owned());
            }
            let (late, delays) = (self.late_turns(), self.run_delays());
            let shares = round();
            let most_and_least = shares.values().max().zip(shares.values().min());
            if most_and_least.is_some_and(|(most, least)| shares.len() == workers && most - least <= 1) {
                return Ok(());
            }
            let excuse = if self.late_turns() > late {
                "a turn was late"
            } else if self.is_any("one_by_one") {
                "a worker is given one connection at a time"
            } else if self.is_any("direct") {
                "a worker waits at the queue itself"
            } else if self.waited_since(&delays) {
                "a thread waited for a processor"
            } else {
                panic!("{shares:?}, and the machine was not at fault");
            };
            Err(format!("{shares:?}, but {excuse}"))
        });
    }

    /// How often a worker was not given a processor within its turn, and so lost it.
    #[track_caller]
    pub fn late_turns(&self) -> u64 {
        let balancers = self.inspect()["load_balancers"].clone();
        balancers.as_array().into_iter().flatten().filter_map(|one| one["late"].as_u64()).sum()
    }

    /// This is so of some worker: `one_by_one`, because its requests are long, or `direct`, because it waits at the queue itself.
    fn is_any(&self, what: &str) -> bool {
        let workers = self.inspect()["workers"].clone();
        workers.as_array().into_iter().flatten().any(|worker| worker[what] == true)
    }

    /// How long each thread of each of its processes has been able to run and has had no processor.
    fn run_delays(&self) -> BTreeMap<(Pid, Pid), Duration> {
        let threads =
            self.processes().into_iter().flat_map(|pid| threads(pid).map(move |thread| (pid, thread)));
        threads.filter_map(|thread| Some((thread, run_delay(thread)?))).collect()
    }

    /// A thread has waited for a processor longer than `DELAY` since then.
    #[track_caller]
    fn waited_since(&self, before: &BTreeMap<(Pid, Pid), Duration>) -> bool {
        // A wait counts when it is over.
        for thread in self.run_delays().into_keys() {
            wait_until("each thread of the cluster sleeps once", PATIENCE, || !is_runnable(thread));
        }
        let waited = |(thread, delay): (_, Duration)| {
            delay.saturating_sub(before.get(&thread).copied().unwrap_or_default()) > DELAY
        };
        self.run_delays().into_iter().any(waited)
    }
}

/// The second number: nanoseconds able to run and without a processor. Nothing for a thread that has ended.
fn run_delay((pid, thread): (Pid, Pid)) -> Option<Duration> {
    let account = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    Some(Duration::from_nanos(account.split(' ').nth(1)?.parse().ok()?))
}

fn is_runnable((pid, thread): (Pid, Pid)) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'))
}
