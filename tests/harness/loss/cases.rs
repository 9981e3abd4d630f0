//! The table of cases of the full run.

use super::clients::mix::Mix;
use super::rolling::Promise;
use super::row::Row;
use super::subject::Subject;
use super::{changing, ending, killing, peers, rolling};
use std::time::Duration;

/// How much is done in a case.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Reloads, stops.
    pub rounds: usize,
    /// Of what takes longer or says less when repeated.
    pub few: usize,
    /// For what goes on for a time.
    pub duration: Duration,
}

impl Extent {
    pub const FULL: Self = Self { rounds: 20, few: 10, duration: Duration::from_secs(30) };
    pub const QUICK: Self = Self { rounds: 3, few: 2, duration: Duration::from_secs(6) };
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    /// It has not worked if it takes longer.
    pub limit: Duration,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    /// A program, `None` if its runtime is missing, and what is done with it.
    Of(fn() -> Option<Subject>, fn(&Subject, Extent) -> Row),
    /// What chooses its program itself.
    Own(fn(Extent) -> Option<Row>),
}

const fn of(name: &'static str, subject: fn() -> Option<Subject>, run: fn(&Subject, Extent) -> Row) -> Case {
    Case { name, limit: Duration::from_secs(400), run: Run::Of(subject, run) }
}

const fn own(name: &'static str, run: fn(Extent) -> Option<Row>) -> Case {
    Case { name, limit: Duration::from_secs(400), run: Run::Own(run) }
}

/// New workers are trusted soon, so that a reload's time is that of what it must wait for.
const SOON: &str = "--min-healthy-time 100ms";
const QUIET: &str = "--min-healthy-time 100ms --idle-grace 300ms";
const MOVE: &str = "--min-healthy-time 100ms --idle-grace 300ms --drain move";
const SIGNAL: &str = "--min-healthy-time 100ms --drain signal";
/// Clients that never pause long enough are waited for until the time is up.
const CUT: &str = "--min-healthy-time 100ms --idle-grace 300ms --drain-timeout 4s";
const MEMORY: &str = "--min-healthy-time 100ms --idle-grace 300ms --memory-limit 250M --pulse 200ms";
const RECYCLE: &str = "--min-healthy-time 100ms --idle-grace 300ms --recycle-after-connections 3000";
const LIFETIME: &str = "--min-healthy-time 100ms --idle-grace 300ms --max-lifetime 4s";
const BROKEN: &str = "--min-healthy-time 100ms --idle-grace 300ms --start-timeout 2s";
const KILL: &str = "--min-uptime 1ms --restart-delay 1ms --max-restart-delay 1ms";

fn reload(subject: &Subject, extent: Extent) -> Row {
    rolling::reload(subject, QUIET, Mix::CLOSING, extent.rounds, Promise::All)
}

fn reload_signal(subject: &Subject, extent: Extent) -> Row {
    rolling::reload(subject, SIGNAL, Mix::CLOSING, extent.rounds, Promise::All)
}

fn reload_move(subject: &Subject, extent: Extent) -> Row {
    rolling::reload(subject, MOVE, Mix::ALL, extent.rounds, Promise::All)
}

fn reload_cut(subject: &Subject, extent: Extent) -> Row {
    rolling::reload(subject, CUT, Mix::ALL, extent.few.div_ceil(2), Promise::Closing)
}

/// The head at once and the body 1.5 s later, with the default for how long silence may last.
fn reload_late(subject: &Subject, extent: Extent) -> Row {
    let mix = Mix { slow: 8, slow_pages: &["/stream?ms=1500&pieces=1"], ..Mix::CLOSING };
    rolling::reload(subject, SOON, mix, extent.few, Promise::All)
}

fn stop(subject: &Subject, extent: Extent) -> Row {
    ending::stop(subject, QUIET, Mix::CLOSING, extent.rounds)
}

fn scale(subject: &Subject, extent: Extent) -> Row {
    changing::scale(subject, QUIET, Mix::CLOSING, extent.few)
}

fn memory(subject: &Subject, extent: Extent) -> Row {
    changing::memory(subject, MEMORY, Mix::CLOSING, extent.few)
}

fn recycle(subject: &Subject, extent: Extent) -> Row {
    changing::recycle(subject, RECYCLE, Mix::CLOSING, extent.few)
}

fn lifetime(subject: &Subject, extent: Extent) -> Row {
    changing::recycle(subject, LIFETIME, Mix::CLOSING, extent.few)
}

fn kill(subject: &Subject, extent: Extent) -> Row {
    killing::kill(subject, KILL, Mix::ALL, extent.duration)
}

/// All, in the order in which they run.
pub const CASES: &[Case] = &[
    of("reload-node", Subject::node, reload),
    of("reload-graceful", Subject::graceful_node, reload),
    of("reload-signal", Subject::graceful_node, reload_signal),
    of("reload-asyncio", Subject::asyncio, reload),
    of("reload-threads", Subject::threads, reload),
    of("reload-gunicorn", Subject::gunicorn, reload),
    of("reload-tokio", Subject::tokio, reload),
    of("late-node", Subject::node, reload_late),
    of("move-node", Subject::node, reload_move),
    of("move-graceful", Subject::graceful_node, reload_move),
    of("move-asyncio", Subject::asyncio, reload_move),
    of("move-threads", Subject::threads, reload_move),
    of("move-gunicorn", Subject::gunicorn, reload_move),
    of("move-tokio", Subject::tokio, reload_move),
    of("kept-node", Subject::node, reload_cut),
    of("kept-asyncio", Subject::asyncio, reload_cut),
    of("stop-node", Subject::node, stop),
    of("stop-graceful", Subject::graceful_node, stop),
    of("stop-asyncio", Subject::asyncio, stop),
    of("stop-threads", Subject::threads, stop),
    of("stop-gunicorn", Subject::gunicorn, stop),
    of("stop-tokio", Subject::tokio, stop),
    of("scale-node", Subject::node, scale),
    of("scale-asyncio", Subject::asyncio, scale),
    of("memory-node", Subject::node, memory),
    of("memory-asyncio", Subject::asyncio, memory),
    of("recycle-node", Subject::node, recycle),
    of("lifetime-tokio", Subject::tokio, lifetime),
    own("broken-node", |extent| rolling::broken(BROKEN, Mix::CLOSING, extent.few)),
    of("kill-node", Subject::node, kill),
    of("kill-tokio", Subject::tokio, kill),
    own("pm2-closing", |extent| peers::pm2(Mix::CLOSING, extent.rounds)),
    own("pm2-kept", |extent| peers::pm2(Mix::KEPT, extent.rounds)),
    own("gunicorn-closing", |extent| peers::gunicorn(Mix::CLOSING, extent.rounds)),
    own("gunicorn-kept", |extent| peers::gunicorn(Mix::KEPT, extent.rounds)),
];

impl Case {
    /// `None`, with the reason on stderr, if something is not installed.
    #[track_caller]
    pub fn run(&self, extent: Extent) -> Option<Row> {
        match self.run {
            Run::Of(subject, run) => Some(run(&subject()?, extent)),
            Run::Own(run) => run(extent),
        }
    }

    /// Whether the word means this case, or a group that it belongs to: `reload`, `reload-node`, `node`.
    pub fn is_called(&self, word: &str) -> bool {
        self.name == word || self.name.split('-').any(|part| part == word)
    }
}
