//! Whether the processes of a worker run or wait, and how much processor time they have used: as /proc tells at one moment.
//! What it does not tell is not known, and never taken for waiting.

use super::process_tree::children_of;
use super::procfs::{self, CHILDREN_SYSTEM_TIME, Fields, USER_TIME, ticks_a_second};
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// What some processes and all below them are doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// Processor time, that of children which have ended included.
    pub(crate) spent: Duration,
    /// Processor time of the threads that live, by the scheduler's account where there is one.
    pub(crate) running: Duration,
    /// Every thread was seen to sleep, and none of them for a disk.
    pub(crate) asleep: bool,
}

/// Looks at these processes and all that they have started; `None` if one of these cannot be read.
pub(crate) fn of(pids: &[u32]) -> Option<Activity> {
    let mut sum = Activity { spent: Duration::ZERO, running: Duration::ZERO, asleep: true };
    let mut seen = BTreeSet::new();
    let mut left: Vec<u32> = pids.to_vec();
    while let Some(pid) = left.pop() {
        if !seen.insert(pid) {
            continue;
        }
        match of_one(pid) {
            Some(one) => {
                sum.spent += one.spent;
                sum.running += one.running;
                sum.asleep &= one.asleep;
            }
            None if pids.contains(&pid) => return None,
            // It has ended meanwhile, or is hidden: something may be going on.
            None => sum.asleep = false,
        }
        left.extend(children_of(pid));
    }
    (!seen.is_empty()).then_some(sum)
}

fn of_one(pid: u32) -> Option<Activity> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields = Fields::of(&stat)?;
    let ticks: u64 = (USER_TIME..=CHILDREN_SYSTEM_TIME).filter_map(|place| fields.number(place)).sum();
    let mut one = Activity {
        spent: Duration::from_millis(ticks.saturating_mul(1_000) / ticks_a_second()),
        running: Duration::ZERO,
        asleep: true,
    };
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let tid = task.ok()?.file_name().to_str()?.parse().ok()?;
        match procfs::thread(pid, tid) {
            // What has ended does nothing more.
            Some(thread) if matches!(thread.state, 'Z' | 'X') => {}
            Some(thread) => {
                one.running += thread.spent.running;
                one.asleep &= thread.state == 'S';
            }
            None => one.asleep = false,
        }
    }
    Some(one)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests look at processes of their own")]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Asks again and again until it is so.
    fn until(pids: &[u32], holds: impl Fn(Activity) -> bool) -> Activity {
        for _ in 0..1_000_000 {
            let found = of(pids).expect("it is there");
            if holds(found) {
                return found;
            }
            std::thread::yield_now();
        }
        panic!("never: {:?}", of(pids));
    }

    #[test]
    fn one_that_waits_sleeps_and_one_that_computes_does_not() {
        let mut waits = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        until(&[waits.id()], |found| found.asleep);
        let mut computes = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let found = until(&[computes.id()], |found| found.spent >= Duration::from_millis(20));
        assert!(!found.asleep && found.running >= Duration::from_millis(10), "{found:?}");
        let both = of(&[waits.id(), computes.id()]).unwrap();
        assert!(!both.asleep && both.spent >= found.spent, "{both:?}");
        for child in [&mut waits, &mut computes] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn what_a_child_does_counts_for_its_parent() {
        // The shell waits for the other, which computes.
        let script = "sh -c 'while :; do :; done' & echo $!; wait";
        let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let found = until(&[shell.id()], |found| found.spent >= Duration::from_millis(50));
        assert!(!found.asleep, "{found:?}");
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(line.trim().parse().unwrap()),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        shell.wait().unwrap();
    }

    #[test]
    fn what_cannot_be_read_is_not_known() {
        assert_eq!((of(&[u32::MAX]), of(&[])), (None, None));
        assert_eq!(of(&[std::process::id(), u32::MAX]), None);
    }
}
