//! Clients held back, each by the means that its program allows, and let go again. What is held back is never read.

use super::super::plan::Step;
use super::super::proof::{SETTLED, Standing};
use super::super::sigstop::SigStop;
use super::super::snapshot::{self, Processes, SeenConnection, Snapshot};
use super::{Attempt, now};
use crate::io::kernel::sockopt;
use std::collections::HashSet;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// A program that has touched a connection for so long neither way is let have what waits there, however new.
const LONG: Duration = Duration::from_millis(20);
/// How long it is waited until a program has read what it was let read, and between two looks whether it has.
const READING: (Duration, Duration) = (Duration::from_millis(10), Duration::from_micros(100));

impl Attempt<'_> {
    /// Freezes all, and lets go what the step says: until it is read, or for a while.
    pub(super) fn freeze(
        &mut self,
        snapshot: &Snapshot,
        standings: &[Standing],
        receiving: &HashSet<u64>,
        processes: &Processes,
        step: Step,
    ) -> io::Result<()> {
        // Of those that owe an answer the client may send more of its request.
        let owing: HashSet<u64> =
            snapshot.seen.iter().filter(|seen| seen.owes_answer()).map(|seen| seen.cookie).collect();
        self.shut.open(processes, |cookie| step == Step::Keep && !owing.contains(&cookie));
        let (mut thawed, mut inodes) = (Vec::new(), Vec::new());
        for (seen, standing) in snapshot.seen.iter().zip(standings) {
            if receiving.contains(&seen.inode) {
                // A thread that waits in a call takes what comes, and on a frozen socket waits for more.
                if self.frozen.thaw_one(seen.cookie, processes)?.is_some() {
                    inodes.push(seen.inode);
                } else if step == Step::Keep
                    && !seen.owes_answer()
                    && standing.silence >= SETTLED
                    && !self.shut.has(seen.cookie)
                {
                    self.shut.shut(seen, processes)?;
                }
                continue;
            }
            if !self.frozen.has(seen.cookie) {
                self.frozen.freeze(seen, processes)?;
                continue;
            }
            // A tick old; or bytes come again and again, too few to be noticed.
            let is_due = !seen.received_ago.is_zero() || standing.silence >= LONG;
            let is_kept = step == Step::Keep && standing.complete;
            if seen.unread > 0
                && is_due
                && !is_kept
                && let Some(copy) = self.frozen.thaw_one(seen.cookie, processes)?
            {
                thawed.push((seen, copy));
            }
        }
        inodes.extend(thawed.iter().map(|(seen, _)| seen.inode));
        self.refreeze(thawed)?;
        self.interrupt(&inodes, processes);
        Ok(())
    }

    /// Freezes again what is read, at once: before the next request. Then is the time to learn, too.
    fn refreeze(&mut self, mut thawed: Vec<(&SeenConnection, OwnedFd)>) -> io::Result<()> {
        let end = now() + READING.0;
        while !thawed.is_empty() && now() < end {
            let mut at = 0;
            while let Some((seen, copy)) = thawed.get(at) {
                if sockopt::unread(copy.as_fd())? > 0 {
                    at += 1;
                    continue;
                }
                self.frozen.freeze_copy(seen, copy.as_fd())?;
                if let Some(seen) = snapshot::by_info(seen, copy.as_fd())? {
                    self.proofs.learn_one(&seen, false, self.old, now());
                }
                thawed.swap_remove(at);
            }
            std::thread::park_timeout(READING.1);
        }
        Ok(())
    }

    pub(super) fn thaw(&mut self) {
        if self.frozen.is_empty() && self.shut.is_empty() {
            return;
        }
        let Ok(processes) = Processes::see(&self.watched.pids) else { return };
        self.shut.open(&processes, |_| false);
        let thawed = self.frozen.thaw(&processes);
        self.interrupt(&thawed, &processes);
    }

    /// A call that began on a frozen socket waits for as many bytes as there had to be: interrupted, it begins anew.
    fn interrupt(&self, thawed: &[u64], processes: &Processes) {
        let receiving = || processes.receiving();
        if !thawed.is_empty() && receiving().iter().any(|inode| thawed.contains(inode)) {
            drop(SigStop::stop(&self.watched.pids, now));
        }
    }
}
