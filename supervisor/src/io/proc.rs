//! What /proc tells of a process: memory, processor time, threads, descriptors. It reads only, and says nothing where the
//! system says nothing.

use std::fs;
use std::path::Path;

/// One process at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Resident memory, in bytes.
    pub(crate) rss: u64,
    /// Processor time so far, in clock ticks.
    pub(crate) ticks: u64,
    pub(crate) threads: u64,
    pub(crate) descriptors: u64,
}

/// Reads a process; `None` if it is gone.
pub(crate) fn sample(pid: u32) -> Option<Sample> {
    let directory = format!("/proc/{pid}");
    let directory = Path::new(&directory);
    let pages: u64 =
        fs::read_to_string(directory.join("statm")).ok()?.split_whitespace().nth(1)?.parse().ok()?;
    let stat = fs::read_to_string(directory.join("stat")).ok()?;
    let fields = Fields::of(&stat)?;
    Some(Sample {
        rss: pages * page_size(),
        ticks: fields.number(USER_TIME)? + fields.number(SYSTEM_TIME)?,
        threads: fields.number(THREADS)?,
        descriptors: descriptors(directory),
    })
}

/// Descriptors that the process has open. Since Linux 6.2 the directory tells how many it lists.
fn descriptors(directory: &Path) -> u64 {
    let directory = directory.join("fd");
    match fs::metadata(&directory).map(|status| std::os::unix::fs::MetadataExt::size(&status)) {
        Ok(0) => fs::read_dir(&directory).map_or(0, |entries| entries.count() as u64),
        Ok(count) => count,
        Err(_) => 0,
    }
}

fn page_size() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Clock ticks a second.
pub(crate) fn ticks_a_second() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

/// Places of fields in `stat`, counted after the name; see proc(5).
const USER_TIME: usize = 11;
const SYSTEM_TIME: usize = 12;
const THREADS: usize = 17;

/// The fields of `stat` that come after the name, which is in parentheses and may hold anything.
struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    fn of(stat: &'a str) -> Option<Self> {
        Some(Self(stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect()))
    }

    fn number(&self, place: usize) -> Option<u64> {
        self.0.get(place)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_very_process() {
        let pid = std::process::id();
        let sample = sample(pid).unwrap();
        assert!(sample.rss > 100_000 && sample.threads >= 1 && sample.descriptors >= 3, "{sample:?}");
    }

    #[test]
    fn a_process_that_is_gone_is_none() {
        assert_eq!(sample(u32::MAX), None);
    }

    #[test]
    fn names_may_hold_anything() {
        let fields = Fields::of("7 (a) b (c)) S 1 2 3").unwrap();
        assert_eq!((fields.0.first(), fields.number(1)), (Some(&"S"), Some(1)));
        assert!(Fields::of("no name").is_none());
    }
}
