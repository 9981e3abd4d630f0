//! Judges samples: whether connections waited in the queue while a worker that may accept slept in its wait. Plain
//! arithmetic over what others have seen; it looks at nothing itself.

use std::time::Duration;

/// So long a worker may sleep while connections wait: it has to be told, and to get a processor.
pub(super) const LIMIT: Duration = Duration::from_millis(5);
/// A sample that comes later than this after the one before says nothing of the time between: the watcher had no processor.
pub(super) const LATE: Duration = Duration::from_millis(3);

/// What was seen at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub at: Duration,
    /// Connections that wait to be accepted.
    pub queue: u32,
    /// Of each worker; empty while the queue is.
    pub workers: Vec<Look>,
    /// How often the supervisor's loop has been given a processor.
    pub supervisor: u64,
    /// A thread of the cluster has been woken and has had no processor since the sample before. Who was told and does not
    /// run yet is no readiness lost.
    pub starved: bool,
}

/// What one worker did at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// All its serving threads sleep, and at least one of them in a wait for connections.
    pub sits: bool,
    /// How often its serving threads have been given a processor.
    pub switches: u64,
}

/// A worker that sat while the queue was not empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sit {
    pub worker: usize,
    pub since: Duration,
    /// Time between samples that came in time, at which nobody of the cluster lacked a processor.
    pub counted: Duration,
    /// Time between such at which somebody did.
    pub starved: Duration,
    /// Time before samples that came late.
    pub late: Duration,
    /// Length of the queue: the most, and the last.
    pub most: u32,
    pub last: u32,
    /// How often others were given a processor meanwhile.
    pub others: u64,
    pub supervisor: u64,
}

impl Sit {
    pub(super) fn is_stall(&self) -> bool {
        self.counted > LIMIT
    }

    /// Too long, but the machine may be the reason.
    pub(super) fn is_unclear(&self) -> bool {
        !self.is_stall() && self.counted + self.starved + self.late > LIMIT
    }
}

/// What a sample has shown.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Workers whose sleep has just become a stall.
    pub begun: Vec<Sit>,
    /// Those whose sleep has ended, or the queue is empty.
    pub ended: Vec<Sit>,
    pub is_late: bool,
}

/// What has been going on since when.
#[derive(Debug, Default)]
pub(super) struct Judge {
    before: Option<Sample>,
    /// By worker.
    sits: Vec<Option<Sit>>,
}

impl Judge {
    pub(super) fn see(&mut self, sample: Sample) -> Findings {
        let mut findings = Findings::default();
        let before = self.before.take();
        let passed = before.as_ref().map_or(Duration::ZERO, |before| sample.at.saturating_sub(before.at));
        findings.is_late = passed > LATE;
        let looks = if sample.queue > 0 { &sample.workers[..] } else { &[] };
        self.sits.resize(self.sits.len().max(looks.len()), None);
        let all: u64 = looks.iter().map(|look| look.switches).sum();
        let all_before: u64 =
            before.iter().flat_map(|before| &before.workers).map(|look| look.switches).sum();
        for (worker, slot) in self.sits.iter_mut().enumerate() {
            let look = looks.get(worker).copied().filter(|look| look.sits);
            let look_before = before.as_ref().and_then(|before| before.workers.get(worker)).copied();
            let is_same = look.is_some() && look == look_before;
            if !is_same && let Some(sit) = slot.take() {
                findings.ended.push(sit);
            }
            if look.is_none() {
                continue;
            }
            let Some(sit) = slot else {
                *slot = Some(Sit {
                    worker,
                    since: sample.at,
                    counted: Duration::ZERO,
                    starved: Duration::ZERO,
                    late: Duration::ZERO,
                    most: sample.queue,
                    last: sample.queue,
                    others: 0,
                    supervisor: 0,
                });
                continue;
            };
            let was_stall = sit.is_stall();
            match (findings.is_late, sample.starved) {
                (true, _) => sit.late += passed,
                (false, true) => sit.starved += passed,
                (false, false) => sit.counted += passed,
            }
            sit.most = sit.most.max(sample.queue);
            sit.last = sample.queue;
            // It has not moved itself.
            sit.others += all.saturating_sub(all_before);
            sit.supervisor += before.as_ref().map_or(0, |before| sample.supervisor - before.supervisor);
            if sit.is_stall() && !was_stall {
                findings.begun.push(*sit);
            }
        }
        self.before = Some(sample);
        findings
    }

    /// What still goes on, at the end.
    pub(super) fn finish(self) -> Vec<Sit> {
        self.sits.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests;
