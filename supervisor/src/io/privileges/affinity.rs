//! Sets of CPUs as the kernel takes them: which may be used here, and which of them a worker gets. It sets those of the calling thread, and
//! of no other.

use crate::settings::CpuAffinity;
use std::io;

/// As many as the kernel can be built for, in words of 64.
const WORDS: usize = 128;

/// One bit for each CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CpuSet([u64; WORDS]);

impl CpuSet {
    fn of(cpus: impl IntoIterator<Item = u32>) -> Self {
        let mut set = [0; WORDS];
        for cpu in cpus {
            if let Some(word) = set.get_mut(cpu as usize / 64) {
                *word |= 1 << (cpu % 64);
            }
        }
        Self(set)
    }

    /// That of the calling thread. Only makes a system call.
    pub(super) fn current() -> io::Result<Self> {
        let mut set = [0; WORDS];
        // SAFETY: the pointer and the length are those of `set`, whose words have no invalid bit pattern.
        let filled =
            unsafe { libc::syscall(libc::SYS_sched_getaffinity, 0, size_of_val(&set), &raw mut set) };
        if filled < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(set)) }
    }

    /// Gives it to the calling thread: all of it, or an error. Only makes system calls.
    pub(super) fn take(&self) -> io::Result<()> {
        // SAFETY: the kernel reads so many bytes of ours.
        let done =
            unsafe { libc::syscall(libc::SYS_sched_setaffinity, 0, size_of_val(&self.0), &raw const self.0) };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
        // The kernel leaves away what is not there, and says nothing of it.
        if Self::current()? == *self { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
    }

    fn cpus(&self) -> Vec<u32> {
        let all = 0..(WORDS as u32) * 64;
        all.filter(|cpu| self.0[*cpu as usize / 64] & 1 << (cpu % 64) != 0).collect()
    }
}

/// The CPUs of each worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Affinity {
    wanted: CpuAffinity,
    /// Those of the supervisor.
    here: Vec<u32>,
    workers: u32,
}

impl Affinity {
    pub(super) fn new(wanted: CpuAffinity, workers: u32) -> io::Result<Self> {
        Ok(Self { wanted, here: CpuSet::current()?.cpus(), workers: workers.max(1) })
    }

    /// Those of the worker in this slot.
    pub(super) fn of(&self, slot: u32) -> CpuSet {
        match &self.wanted {
            CpuAffinity::List(cpus) => CpuSet::of(cpus.iter().copied()),
            CpuAffinity::Spread => CpuSet::of(share(&self.here, self.workers, slot).iter().copied()),
        }
    }
}

/// The part of the CPUs that is the slot's: as even as it can be, and one by turns where there are too few. A slot that came by scaling has
/// that of an earlier one.
fn share(cpus: &[u32], workers: u32, slot: u32) -> &[u32] {
    let (count, workers) = (cpus.len(), workers as usize);
    if count == 0 {
        return cpus;
    }
    if workers >= count {
        let at = slot as usize % count;
        return &cpus[at..=at];
    }
    let place = slot as usize % workers;
    &cpus[place * count / workers..(place + 1) * count / workers]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_cpus_are_given_out_and_each_once() {
        let cpus = [0, 1, 2, 5, 6, 7, 9];
        for workers in 1..7 {
            let shares: Vec<u32> =
                (0..workers).flat_map(|slot| share(&cpus, workers, slot).to_vec()).collect();
            assert_eq!(shares, cpus, "{workers} workers");
        }
        assert_eq!([0, 1, 6, 7, 8].map(|slot| share(&cpus, 9, slot)[0]), [0, 1, 9, 0, 1]);
        assert_eq!(share(&cpus, 2, 2), share(&cpus, 2, 0), "one that came by scaling");
        assert_eq!(share(&[], 2, 0), [0; 0]);
    }

    #[test]
    fn a_thread_takes_what_is_there_and_no_other() {
        let here = CpuSet::current().unwrap();
        let first = CpuSet::of([here.cpus()[0]]);
        std::thread::spawn(move || {
            first.take().unwrap();
            assert_eq!(CpuSet::current().unwrap(), first);
            let absent = CpuSet::of([first.cpus()[0], 8191]);
            assert_eq!(absent.take().unwrap_err().raw_os_error(), Some(libc::EINVAL));
        })
        .join()
        .unwrap();
    }
}
