//! The line of `/proc/PID/stat`: its fields by their places. It opens no file.

/// Places of fields in `stat`, counted after the name; see proc(5).
const STATE: usize = 0;
pub(super) const PARENT: usize = 1;
const FLAGS: usize = 6;
/// Of the flags: it has begun to end.
const PF_EXITING: u64 = 4;
pub(in crate::io::process) const USER_TIME: usize = 11;
pub(super) const SYSTEM_TIME: usize = 12;
/// The last of four times: in user and system mode, then the same of the children that have ended and were waited for.
pub(in crate::io::process) const CHILDREN_SYSTEM_TIME: usize = 14;
pub(super) const THREADS: usize = 17;
pub(super) const STARTTIME: usize = 19;

/// The fields of `stat` that come after the name, which is in parentheses and may hold anything.
pub(in crate::io::process) struct Fields<'a>(Vec<&'a str>);

impl<'a> Fields<'a> {
    pub(in crate::io::process) fn of(stat: &'a str) -> Option<Self> {
        Some(Self(stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect()))
    }

    /// The state, as the kernel's letter.
    pub(in crate::io::process) fn state(&self) -> Option<char> {
        self.0.get(STATE)?.chars().next()
    }

    /// The thread has begun to end.
    pub(in crate::io::process) fn is_ending(&self) -> Option<bool> {
        Some(self.number(FLAGS)? & PF_EXITING != 0)
    }

    pub(in crate::io::process) fn number(&self, place: usize) -> Option<u64> {
        self.0.get(place)?.parse().ok()
    }
}

/// True if the process has begun to end, by its line of `/proc/PID/stat`.
pub(in crate::io) fn is_ending(stat: &str) -> bool {
    Fields::of(stat).and_then(|fields| fields.is_ending()).unwrap_or(false)
}

/// Clock ticks a second.
pub(crate) fn ticks_a_second() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_CLK_TCK) }).unwrap_or(100).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_hold_anything() {
        let fields = Fields::of("7 (a) b (c)) S 1 2 3").unwrap();
        assert_eq!((fields.0.first(), fields.number(1)), (Some(&"S"), Some(1)));
        assert!(Fields::of("no name").is_none());
    }
}
