//! No request is lost while a cluster changes. The short form of `cargo xtask no-loss`: fewer clients, fewer rounds; each
//! case prints its line.

use harness::loss::{Mix, Promise, Row, Subject, broken, reload, scale, stop};
use std::io::Write;

const QUIET: &str = "--min-healthy-time 100ms --idle-grace 300ms";

/// Prints the line past the capture of the test harness, and fails if anything was lost.
#[track_caller]
fn report(case: &str, row: &Row) {
    let _ = writeln!(std::io::stderr().lock(), "no-loss {case}: {}", row.line());
    assert!(row.requests > 100, "{} requests are no load", row.requests);
    assert!(row.problems.is_empty(), "{:?}\n{}", row.problems, row.particulars.join("\n"));
}

#[test]
fn reload_of_node() {
    let Some(subject) = Subject::node() else { return };
    report("reload", &reload(&subject, QUIET, Mix::SMALL, 3, Promise::All));
}

#[test]
fn reload_of_asyncio() {
    let Some(subject) = Subject::asyncio() else { return };
    report("reload", &reload(&subject, QUIET, Mix::SMALL, 3, Promise::All));
}

#[test]
fn stops() {
    let Some(subject) = Subject::node() else { return };
    report("stop", &stop(&subject, QUIET, Mix::SMALL, 4));
}

#[test]
fn fewer_workers_and_more() {
    let Some(subject) = Subject::asyncio() else { return };
    report("scale", &scale(&subject, QUIET, Mix::SMALL, 2));
}

#[test]
fn broken_versions() {
    let Some(row) = broken(&format!("{QUIET} --start-timeout 10s"), Mix::SMALL, 3) else { return };
    report("broken", &row);
}
#[test]
fn reload_with_kept_connections_that_move() {
    let Some(subject) = Subject::node() else { return };
    let mix = Mix { kept: 8, ..Mix::SMALL };
    report("move", &reload(&subject, &format!("{QUIET} --drain move"), mix, 1, Promise::All));
}
