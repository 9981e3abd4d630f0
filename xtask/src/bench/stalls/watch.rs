//! Watches a cluster from outside while clients load it: about every millisecond the queue and, while it is not empty, what the
//! workers' threads do. It changes nothing of the cluster but for the processor time that looking takes.

use super::judge::{Judge, Sample, Sit};
use super::queue::Queue;
use super::threads::{Process, Worker};
use crate::{Result, say};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_millis(1);
/// How often it is read what was stolen from the machine: the kernel counts it in hundredths of a second.
const STEAL_PERIOD: u64 = 100;
/// So many stalls are told with all that is known of them; the others are counted.
const MOST_TOLD: u64 = 10;

/// What is watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub queue: Queue,
    pub supervisor: Process,
    pub workers: Vec<Worker>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub samples: u64,
    pub with_queue: u64,
    pub late: u64,
    /// Samples with a queue at which a thread of the cluster was woken and had no processor.
    pub starved: u64,
    /// The most that a worker sat, as it counts.
    pub longest: Duration,
    /// Sits that were too long, with a machine that may be the reason.
    pub unclear: u64,
    pub stalls: u64,
    pub stolen: Duration,
    /// How long the watcher itself waited for a processor.
    pub waited: Duration,
}

impl Watched {
    /// Until it is told to stop.
    pub(super) fn watch(&mut self, stop: &AtomicBool) -> Result<Tally> {
        let begun = Instant::now();
        let (mut judge, mut tally) = (Judge::default(), Tally::default());
        let (stolen, waited) = (stolen()?, waited()?);
        let mut steals = [stolen; 2];
        // Of sits that have become stalls and go on.
        let mut evidence: Vec<(usize, String)> = Vec::new();
        let mut last = begun;
        while !stop.load(Ordering::Relaxed) {
            let now = Instant::now();
            let sample = self.sample(now - begun, now - last)?;
            last = now;
            tally.samples += 1;
            tally.with_queue += u64::from(sample.queue > 0);
            tally.starved += u64::from(sample.starved);
            if tally.samples.is_multiple_of(STEAL_PERIOD) {
                steals = [steals[1], self::stolen()?];
            }
            let findings = judge.see(sample);
            tally.late += u64::from(findings.is_late);
            for sit in findings.begun {
                evidence.push((sit.worker, self.describe()));
            }
            for sit in findings.ended {
                let evidence = taken(&mut evidence, &sit);
                self.note(&mut tally, &sit, &evidence, self::stolen()? - steals[0]);
            }
            std::thread::sleep(PERIOD.saturating_sub(now.elapsed()));
        }
        for sit in judge.finish() {
            let evidence = taken(&mut evidence, &sit);
            self.note(&mut tally, &sit, &evidence, self::stolen()? - steals[0]);
        }
        tally.stolen = self::stolen()? - stolen;
        tally.waited = self::waited()? - waited;
        Ok(tally)
    }

    fn sample(&mut self, at: Duration, passed: Duration) -> Result<Sample> {
        let queue = self.queue.length()?;
        let mut sample = Sample { at, queue, workers: Vec::new(), supervisor: 0, starved: false };
        if queue > 0 {
            let supervisor = self.supervisor.look(passed)?;
            (sample.supervisor, sample.starved) = (supervisor.switches, supervisor.starved);
            for worker in &mut self.workers {
                let (look, starved) = worker.look(passed)?;
                sample.workers.push(look);
                sample.starved |= starved;
            }
        }
        Ok(sample)
    }

    fn describe(&self) -> String {
        let workers = self.workers.iter().map(|worker| {
            let queue =
                self.queue.length().map_or_else(|error| error.to_string(), |length| length.to_string());
            format!("  worker {}, queue {queue}\n{}", worker.pid, worker.describe())
        });
        let workers: String = workers.collect();
        format!("{workers}  supervisor\n{}", self.supervisor.describe())
    }

    fn note(&self, tally: &mut Tally, sit: &Sit, evidence: &str, stolen: Duration) {
        tally.longest = tally.longest.max(sit.counted);
        tally.unclear += u64::from(sit.is_unclear());
        if !sit.is_stall() {
            return;
        }
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        tally.stalls += 1;
        if tally.stalls > MOST_TOLD {
            return;
        }
        say(&format!(
            "STALL: worker {} sat for {:.1} ms (and {:.1} ms starved, {:.1} ms unwatched) from {:.3} s on, \
             queue {} at most and {} at the end; meanwhile others got a processor {} times, the supervisor {} times; \
             stolen in the last 0.2 s: {:.0} ms. At 5 ms:\n{evidence}",
            self.workers[sit.worker].pid,
            ms(sit.counted),
            ms(sit.starved),
            ms(sit.late),
            sit.since.as_secs_f64(),
            sit.most,
            sit.last,
            sit.others,
            sit.supervisor,
            ms(stolen),
        ));
    }
}

/// What was seen when the worker's sleep became a stall.
fn taken(evidence: &mut Vec<(usize, String)>, sit: &Sit) -> String {
    let at = evidence.iter().position(|(worker, _)| *worker == sit.worker);
    at.map(|at| evidence.swap_remove(at).1).unwrap_or_default()
}

/// Time that was stolen from this machine since it began.
fn stolen() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let ticks = stolen_ticks(&stat).ok_or("the kernel does not tell what was stolen")?;
    // SAFETY: sysconf takes a number and touches no memory.
    let second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs(ticks) / u32::try_from(second)?)
}

/// `cpu USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ..`
fn stolen_ticks(stat: &str) -> Option<u64> {
    stat.lines().next()?.split_whitespace().nth(8)?.parse().ok()
}

/// How long this thread has waited for a processor since it began.
fn waited() -> Result<Duration> {
    let account = fs::read_to_string("/proc/thread-self/schedstat")?;
    let waited = account.split_whitespace().nth(1).ok_or("the kernel keeps no account of threads")?;
    Ok(Duration::from_nanos(waited.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_stolen_is_the_eighth() {
        assert_eq!(stolen_ticks("cpu  1 2 3 4 5 6 7 42 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"), Some(42));
        assert!(stolen().is_ok() && waited().is_ok());
    }
}
