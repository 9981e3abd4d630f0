//! The lines on what a cluster does at set times, for `status` and `describe`.

use crate::api::{Launch, Scheduled};
use crate::cli::output::table::span;
use crate::io::output::plain::Plain;

/// One line for each schedule, the next one first.
pub(super) fn lines(launch: &Launch, now: u64) -> Vec<String> {
    let mut all: Vec<&Scheduled> = launch.schedules.iter().collect();
    all.sort_by_key(|one| one.next_at.unwrap_or(u64::MAX));
    all.into_iter().map(|one| line(one, now)).collect()
}

fn line(one: &Scheduled, now: u64) -> String {
    let when = match (one.next_at, &one.next_local) {
        (Some(at), Some(local)) if at > now => format!("in {}, at {local}", span(at - now)),
        (Some(_), Some(local)) => format!("due at {local}"),
        _ => "never".to_owned(),
    };
    Plain(&format!("{} {when} ({})", one.what, one.schedule)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_one_comes_first() {
        let at = |what: &str, next_at: Option<u64>| Scheduled {
            what: what.into(),
            schedule: "0 3 * * *".into(),
            next_at,
            next_local: next_at.map(|_| "2026-12-01 03:00:00 +01:00".into()),
        };
        let schedules = vec![at("restart", None), at("reload", Some(91_000)), at("reload", Some(500))];
        let launch = Launch { schedules, ..Launch::default() };
        assert_eq!(
            lines(&launch, 1_000),
            [
                "reload due at 2026-12-01 03:00:00 +01:00 (0 3 * * *)",
                "reload in 1m30s, at 2026-12-01 03:00:00 +01:00 (0 3 * * *)",
                "restart never (0 3 * * *)",
            ]
        );
    }
}
