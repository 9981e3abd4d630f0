//! Whether the kernel's OOM killer has struck in the control group of a worker's process, by the count that the group keeps. Of
//! groups that keep none nothing is said.

use super::cgroup::{Mounts, Version};
use crate::io::process::procfs;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Of the control groups that count such kills.
const CONTROLLER: &str = "memory";
/// How long after it was counted a kill may explain the end of a process: large ones take long to end.
const RECENT: Duration = Duration::from_secs(10);

/// The counts of all groups that processes of workers are in.
#[derive(Debug, Default)]
pub(crate) struct OomKills {
    /// Where each process's group keeps its count.
    files: HashMap<u32, PathBuf>,
    counts: HashMap<PathBuf, Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    last: u64,
    /// Kills that have explained nobody's end, and when they were counted.
    unclaimed: u64,
    at: Instant,
}

impl Count {
    fn look(&mut self, file: &Path, now: Instant) {
        let Some(count) = read(file).filter(|count| *count != self.last) else { return };
        if now.saturating_duration_since(self.at) > RECENT {
            self.unclaimed = 0;
        }
        self.unclaimed = self.unclaimed.saturating_add(count.saturating_sub(self.last));
        (self.last, self.at) = (count, now);
    }

    fn claim(&mut self, now: Instant) -> bool {
        let is_recent = now.saturating_duration_since(self.at) <= RECENT;
        let is_any = self.unclaimed > 0 && is_recent;
        self.unclaimed = self.unclaimed.saturating_sub(1);
        is_any
    }
}

impl OomKills {
    /// Looks at the groups of these processes, which may have been put into others since; of all others nothing is kept.
    pub(crate) fn look(&mut self, pids: impl Iterator<Item = u32>, now: Instant) {
        self.look_in(Path::new("/"), pids, now);
    }

    fn look_in(&mut self, root: &Path, pids: impl Iterator<Item = u32>, now: Instant) {
        let mut files = HashMap::new();
        // Read once for all of them, and anew each time: groups may be mounted meanwhile.
        let mounts = Mounts::read(CONTROLLER, root);
        for pid in pids {
            if let Some(file) = file_of(pid, &mounts, root).or_else(|| self.files.remove(&pid)) {
                self.count(&file, now);
                files.insert(pid, file);
            }
        }
        self.counts.retain(|file, _| files.values().any(|known| known == file));
        self.files = files;
    }

    /// The process has been started.
    pub(crate) fn watch(&mut self, pid: u32, now: Instant) {
        let root = Path::new("/");
        if let Some(file) = file_of(pid, &Mounts::read(CONTROLLER, root), root) {
            self.count(&file, now);
            self.files.insert(pid, file);
        }
    }

    /// The process has been killed: true if its group has counted that as the OOM killer's doing, and no other end was put
    /// down to that.
    pub(crate) fn has_struck(&mut self, pid: u32, now: Instant) -> bool {
        let Some(file) = self.files.remove(&pid) else { return false };
        let Some(count) = self.counts.get_mut(&file) else { return false };
        count.look(&file, now);
        count.claim(now)
    }

    fn count(&mut self, file: &Path, now: Instant) {
        match self.counts.get_mut(file) {
            Some(count) => count.look(file, now),
            None => {
                let last = read(file).unwrap_or(0);
                self.counts.insert(file.to_owned(), Count { last, unclaimed: 0, at: now });
            }
        }
    }
}

/// The file that holds the count of the process's own group; `None` of one that is ending, for version 1 then tells another
/// group of it than that in which it was killed.
fn file_of(pid: u32, mounts: &Mounts<'_>, root: &Path) -> Option<PathBuf> {
    let names = |version| match version {
        Version::One => ["memory.oom_control", "memory.oom_control"],
        // Kills in groups below count in `memory.events` too; the other came later.
        Version::Two => ["memory.events.local", "memory.events"],
    };
    let groups = mounts.of_process(pid);
    let files = groups.iter().flat_map(|(version, group)| names(*version).map(|name| group.join(name)));
    let file = files.into_iter().find(|file| read(file).is_some())?;
    // Looked at after the groups: it was not ending when they were read.
    let stat = fs::read_to_string(root.join(format!("proc/{pid}/stat"))).ok()?;
    (!procfs::is_ending(&stat)).then_some(file)
}

fn read(file: &Path) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    const V1: &str = "30 23 0:26 / /cg rw - cgroup cgroup rw,memory\n";
    const V2: &str = "30 23 0:26 / /cg rw - cgroup2 cgroup2 rw\n";

    struct Machine(Scratch);

    impl Machine {
        fn new(mounts: &str) -> Self {
            let machine = Self(Scratch::new());
            machine.write("proc/self/mountinfo", mounts);
            machine
        }

        /// A process that is in this group as far as the kernel tells, and alive by these flags.
        fn process(&self, pid: u32, group: &str, flags: u32) {
            self.write(&format!("proc/{pid}/cgroup"), group);
            self.write(&format!("proc/{pid}/stat"), &format!("{pid} (a b) S 1 {pid} {pid} 0 -1 {flags} 0\n"));
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn look(&self, kills: &mut OomKills, pids: &[u32], now: Instant) {
            kills.look_in(self.0.path(), pids.iter().copied(), now);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some real instant")]
    fn begin() -> Instant {
        Instant::now()
    }

    #[test]
    fn only_the_own_group_counts_and_each_kill_once() {
        for (mounts, line, file) in
            [(V1, "4:memory:", "memory.oom_control"), (V2, "0::", "memory.events.local")]
        {
            let (machine, now) = (Machine::new(mounts), begin());
            let count = |group: &str, kills: u64| {
                machine.write(&format!("cg/{group}/{file}"), &format!("oom 9\noom_kill {kills}\n"));
            };
            for (pid, group) in [(1, "a"), (2, "a"), (3, "b"), (4, "none")] {
                machine.process(pid, &format!("{line}/{group}\n"), 0x40_0000);
            }
            count("a", 5);
            count("b", 0);
            count("", 0);
            let mut kills = OomKills::default();
            machine.look(&mut kills, &[1, 2, 3, 4], now);
            count("a", 6);
            assert!(!kills.has_struck(3, now), "that was in another group");
            assert!(!kills.has_struck(4, now), "nobody counts there");
            // By now version 1 tells another group of it, of those who look between its end and the word of it too.
            machine.process(1, &format!("{line}/\n"), 0x40_0004);
            machine.look(&mut kills, &[1, 2], now);
            assert!(kills.has_struck(1, now));
            assert!(!kills.has_struck(2, now), "the one kill has its end");
        }
    }

    #[test]
    fn a_kill_of_long_ago_explains_nothing() {
        let (machine, now) = (Machine::new(V2), begin());
        machine.process(1, "0::/a\n", 0);
        machine.write("cg/a/memory.events", "oom_kill 0\n");
        let mut kills = OomKills::default();
        machine.look(&mut kills, &[1], now);
        machine.write("cg/a/memory.events", "oom_kill 1\n");
        machine.look(&mut kills, &[1], now);
        machine.look(&mut kills, &[1], now + RECENT);
        assert!(!kills.has_struck(1, now + RECENT + Duration::from_secs(1)));
    }
}
