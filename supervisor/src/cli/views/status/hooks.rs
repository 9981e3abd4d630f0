//! The lines of `status` on hooks: what is held up, and what went wrong. Where all is well there are none.

use crate::api::{GateReport, HookFailure, HookReport};
use crate::cli::output::table::span;
use crate::io::output::plain::Plain;

pub(super) fn lines(hooks: &HookReport, now: u64) -> String {
    let ago = |at: u64| span(now.saturating_sub(at));
    let mut text = String::new();
    if let Some(GateReport { hook, command, since, .. }) = &hooks.gate {
        text += &format!("{hook}, for {}: {} runs\n", ago(*since), Plain(command));
    }
    if hooks.failed + hooks.dropped > 0 {
        text += &format!("hooks: {} ended well, {} failed", hooks.done, hooks.failed);
        if hooks.dropped > 0 {
            text += &format!(", {} dropped as too many waited", hooks.dropped);
        }
        if let Some(HookFailure { at, hook, cause, .. }) = &hooks.last_failure {
            text += &format!("; the last failure, {} ago, {hook}: {}", ago(*at), Plain(cause));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_is_told() {
        let good = HookReport { done: 7, under_way: 1, ..HookReport::default() };
        assert_eq!(lines(&good, 5_000), "");
        let gate = GateReport { hook: "before_start".into(), command: "./migrate up".into(), since: 2_000 };
        let last = HookFailure { at: 1_000, hook: "stop".into(), cause: "./bye exited with code 1".into() };
        let bad = HookReport { failed: 2, dropped: 3, gate: Some(gate), last_failure: Some(last), ..good };
        assert_eq!(
            lines(&bad, 5_000),
            "before_start, for 3.0s: ./migrate up runs\n\
             hooks: 7 ended well, 2 failed, 3 dropped as too many waited; the last failure, 4.0s ago, stop: ./bye exited with code 1\n"
        );
    }
}
