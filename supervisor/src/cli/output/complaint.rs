//! What is said on stderr where there is no log, in a line or a few, whatever it may hold. It never ends the program.

use crate::io::output::plain::Plain;
use std::io::Write;

/// A few lines on stderr, for what is wrong where there is no log.
pub(in crate::cli) fn complain(what: impl std::fmt::Display) {
    let what: Vec<_> = what.to_string().lines().map(|line| Plain(line).to_string()).collect();
    // At once, so that nothing comes between its parts.
    let what = format!("clustermon: {}\n", what.join("\n"));
    // Nobody is left to tell that the complaint could not be written.
    let _ = std::io::stderr().lock().write_all(what.as_bytes());
}

/// Several lines on stderr as they are, for what was made for people's eyes.
pub(in crate::cli) fn show(text: &str) {
    // Nobody is left to tell that it could not be written.
    let _ = writeln!(std::io::stderr().lock(), "{text}\n");
}

/// A message that was laid out over several lines, as one: without the usage and what follows it, and without guesses at
/// what was meant.
pub(in crate::cli) fn one_line(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines = message.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let mut told = String::new();
    let said = |line: &&str| {
        !line.is_empty() && !line.starts_with("For more information") && !line.starts_with("tip:")
    };
    for line in lines.filter(said) {
        if !told.is_empty() {
            told.push_str(if told.ends_with(':') { " " } else { "; " });
        }
        told.push_str(line);
    }
    told
}
