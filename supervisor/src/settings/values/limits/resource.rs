//! A limit on a resource of a process, as people write it: `nofile=65536`, or `nofile=1024:65536` with the hard limit behind. Whether the
//! kernel grants it is nothing to it.

use std::fmt;
use std::str::FromStr;

/// The names of `prlimit` and of limits.conf, and the numbers of getrlimit(2) on x86_64 and aarch64.
const NAMES: [(&str, u32); 16] = [
    ("as", 9),
    ("core", 4),
    ("cpu", 0),
    ("data", 2),
    ("fsize", 1),
    ("locks", 10),
    ("memlock", 8),
    ("msgqueue", 12),
    ("nice", 13),
    ("nofile", 7),
    ("nproc", 6),
    ("rss", 5),
    ("rtprio", 14),
    ("rttime", 15),
    ("sigpending", 11),
    ("stack", 3),
];
/// The kernel's word for no limit.
const NONE: u64 = u64::MAX;
/// Powers of 1024, as they are written behind a number.
const UNITS: [(&str, u64); 4] = [("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];

/// What a process may have of a resource: so much until it asks for more, and so much at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceLimit {
    resource: u32,
    soft: u64,
    hard: u64,
}

impl ResourceLimit {
    /// The number of the resource, as getrlimit(2) takes it.
    pub fn resource(&self) -> u32 {
        self.resource
    }

    /// What a process may have until it asks for more; `u64::MAX` is no limit.
    pub fn soft(&self) -> u64 {
        self.soft
    }

    /// What it may ask for.
    pub fn hard(&self) -> u64 {
        self.hard
    }
}

impl FromStr for ResourceLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) =
            text.split_once('=').ok_or("write a limit as nofile=65536, or nofile=1024:65536")?;
        let Some((_, resource)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            return Err(format!("{name:?} is none of {}", names.join(", ")));
        };
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        let (soft, hard) = (amount(soft)?, amount(hard)?);
        if soft > hard {
            return Err("the first number, which holds, is above the second, which is the most".to_owned());
        }
        Ok(Self { resource: *resource, soft, hard })
    }
}

fn amount(text: &str) -> Result<u64, &'static str> {
    if ["infinity", "unlimited"].contains(&text) {
        return Ok(NONE);
    }
    let with_unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)));
    let (number, unit) = with_unit.unwrap_or((text, 1));
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let amount = digits.then(|| number.parse::<u64>().ok()?.checked_mul(unit)).flatten();
    amount.filter(|amount| *amount < NONE).ok_or("write a number, such as 65536 or 2G, or infinity")
}

impl fmt::Display for ResourceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, number)| *number == self.resource).map_or("", |(name, _)| name);
        let shown = |amount: u64| if amount == NONE { "infinity".to_owned() } else { amount.to_string() };
        write!(f, "{name}={}", shown(self.soft))?;
        if self.hard == self.soft { Ok(()) } else { write!(f, ":{}", shown(self.hard)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["nofile=65536", "nofile=1024:65536", "core=0", "stack=infinity", "nproc=10:infinity"] {
            assert_eq!(text.parse::<ResourceLimit>().unwrap().to_string(), text);
        }
        let limit: ResourceLimit = "as=2G:unlimited".parse().unwrap();
        assert_eq!((limit.resource(), limit.soft(), limit.hard()), (libc::RLIMIT_AS, 2 << 30, u64::MAX));
        for text in
            ["", "nofile", "nofile=", "files=3", "nofile=9:3", "nofile=-1", "nofile=1e3", "as=99999999999T"]
        {
            assert!(text.parse::<ResourceLimit>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_numbers_are_those_of_this_system() {
        let theirs = [
            ("as", libc::RLIMIT_AS),
            ("core", libc::RLIMIT_CORE),
            ("cpu", libc::RLIMIT_CPU),
            ("data", libc::RLIMIT_DATA),
            ("fsize", libc::RLIMIT_FSIZE),
            ("locks", libc::RLIMIT_LOCKS),
            ("memlock", libc::RLIMIT_MEMLOCK),
            ("msgqueue", libc::RLIMIT_MSGQUEUE),
            ("nice", libc::RLIMIT_NICE),
            ("nofile", libc::RLIMIT_NOFILE),
            ("nproc", libc::RLIMIT_NPROC),
            ("rss", libc::RLIMIT_RSS),
            ("rtprio", libc::RLIMIT_RTPRIO),
            ("rttime", libc::RLIMIT_RTTIME),
            ("sigpending", libc::RLIMIT_SIGPENDING),
            ("stack", libc::RLIMIT_STACK),
        ];
        assert_eq!(NAMES, theirs);
    }
}
