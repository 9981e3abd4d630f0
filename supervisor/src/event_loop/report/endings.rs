//! Words for the end of a process, for what follows it, for why one that works is replaced, and for what a worker that hangs was found to
//! be doing. It decides nothing.

use super::span::Span;
use crate::pool::{Exit, Finding, Measure, RecycleReason, Then};
use nix::sys::signal::Signal;
use std::fmt;
use std::time::Duration;

/// How a process ended, for people.
pub(in crate::event_loop) fn ending(exit: &Exit) -> String {
    Ending(exit).to_string()
}

/// Why a process that works is replaced.
pub(super) fn recycle_reason(reason: &RecycleReason) -> String {
    match reason {
        RecycleReason::Memory { bytes, limit, measure } => {
            let how = match measure {
                Measure::Proportional => "",
                Measure::Resident => ", all that it shares included, as its part of that cannot be read",
            };
            format!("memory: it holds {} MB{how}; the limit is {} MB", bytes >> 20, limit >> 20)
        }
        RecycleReason::Lifetime { after } => format!("lifetime: it is {} old", Span(*after)),
        RecycleReason::Connections { given } => format!("connections: it was given {given}"),
    }
}

/// What a worker that hangs was found to be doing.
pub(in crate::event_loop) fn found(finding: Finding) -> &'static str {
    match finding {
        Finding::Busy => "on the CPU throughout",
        Finding::Stopped => "stopped",
        Finding::Lock => "waiting for a lock",
        Finding::Blocked => "blocked",
        Finding::Starved => "wanting a processor that others have",
        Finding::Traced => "traced by a debugger",
        Finding::Unknown => "doing nobody knows what",
    }
}

/// What follows the end of a process: the wait for the next start, if there is one.
pub(super) struct Next(pub(super) Option<Duration>, pub(super) Then);

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (_, Then::BudgetSpent) => f.write_str("not started again: its restarts are spent"),
            (None, Then::Replaced) => f.write_str("another has taken its place"),
            (_, Then::Failed) => f.write_str("the one it was to replace goes on"),
            (_, Then::Finished) => f.write_str("not started again: it has done its work"),
            (Some(delay), _) if delay.is_zero() => f.write_str("next start now"),
            (Some(delay), _) => write!(f, "next start in {}", Span(delay)),
            (None, _) => f.write_str("not started again"),
        }
    }
}

pub(super) struct Ending<'a>(pub(super) &'a Exit);

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self.0 {
            Exit::Code(code) => write!(f, "code {code}"),
            Exit::Signal { signal, core_dumped, oom_killed } => {
                match Signal::try_from(signal) {
                    Ok(signal) => write!(f, "signal {signal}")?,
                    Err(_) => write!(f, "signal {signal}")?,
                }
                if core_dumped {
                    f.write_str(" (core dumped)")?;
                }
                if oom_killed {
                    f.write_str(" (out of memory: the kernel's OOM killer)")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_name_their_signal() {
        let exit = Exit::Signal { signal: 9, core_dumped: false, oom_killed: true };
        assert_eq!(Ending(&exit).to_string(), "signal SIGKILL (out of memory: the kernel's OOM killer)");
        assert_eq!(Ending(&Exit::Code(3)).to_string(), "code 3");
    }
}
