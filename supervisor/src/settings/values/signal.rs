//! Signals as people write them. It sends none.

use nix::sys::signal::Signal;
use std::str::FromStr;

/// A signal's number by its name, with or without SIG, or its number.
pub(crate) fn number(text: &str) -> Result<i32, String> {
    if let Ok(number) = text.parse::<i32>() {
        return match number {
            1..=64 => Ok(number),
            _ => Err("signals have numbers from 1 to 64".to_owned()),
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
    let signal = Signal::from_str(&name).map_err(|_| "there is no such signal; try `kill -l`".to_owned())?;
    Ok(signal as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_by_name_and_number() {
        for (text, value) in [("HUP", 1), ("sigusr1", 10), ("SIGTERM", 15), ("9", 9), ("64", 64)] {
            assert_eq!(number(text), Ok(value));
        }
        for text in ["0", "65", "-9", "SIG", "", "TERM1", "SIGSIGTERM"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
