//! The CPUs that workers may run on, as people write them: `spread`, or a list such as `0-3,8`. Which CPUs there are is nothing to it.

use std::fmt;
use std::str::FromStr;

/// More CPUs than the kernel can be built for.
const MAX_CPU: u32 = 8191;

/// The CPUs that workers may run on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CpuAffinity {
    /// The CPUs of the supervisor are divided among the workers, by their place in the order of their ids. Where there are more workers
    /// than CPUs each has one, by turns.
    Spread,
    /// These, for all of them; in order, each once.
    List(Vec<u32>),
}

impl FromStr for CpuAffinity {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "spread" {
            return Ok(Self::Spread);
        }
        let mut cpus = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (number(first)?, number(last)?);
            if first > last {
                return Err("of a range of CPUs the lower one comes first");
            }
            cpus.extend(first..=last);
        }
        cpus.sort_unstable();
        cpus.dedup();
        Ok(Self::List(cpus))
    }
}

fn number(text: &str) -> Result<u32, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|cpu| *cpu <= MAX_CPU).ok_or("write spread, or a list of CPUs such as 0-3,8")
}

impl fmt::Display for CpuAffinity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::List(cpus) = self else { return f.write_str("spread") };
        let mut comma = "";
        for run in cpus.chunk_by(|a, b| a + 1 == *b) {
            match run {
                [first, .., last] => write!(f, "{comma}{first}-{last}")?,
                one => one.iter().try_for_each(|cpu| write!(f, "{comma}{cpu}"))?,
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_values_are_one() {
        for text in ["spread", "0", "0-3,8", "1,3", "5-6"] {
            assert_eq!(text.parse::<CpuAffinity>().unwrap().to_string(), text);
        }
        assert_eq!("3,1-2,2".parse(), Ok(CpuAffinity::List(vec![1, 2, 3])));
        for text in ["", "all", "3-1", "1,", "-1", "0x1", "8192"] {
            assert!(text.parse::<CpuAffinity>().is_err(), "{text}");
        }
    }
}
