//! What came of a case: one line for people, one row of a table, and an object that passes between processes.

use super::clients::tally::{Kind, Tally};
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::{Duration, Instant};

/// How many particulars are shown at most.
const SHOWN: usize = 12;

/// The outcome of a case.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub program: String,
    /// What was done, in the plural: `reloads`.
    pub what: String,
    pub done: usize,
    /// How long each took, where that means something.
    pub times: Vec<Duration>,
    pub requests: u64,
    pub failed: u64,
    pub reset: u64,
    pub raced: u64,
    pub refused: u64,
    pub turned_away: u64,
    pub p99: Duration,
    pub longest: Duration,
    /// What else is to be said.
    pub notes: Vec<String>,
    /// What must not be; nothing, if all is well.
    pub problems: Vec<String>,
    /// For who looks for the cause.
    pub particulars: Vec<String>,
}

impl Row {
    pub fn new(program: &str, what: &str) -> Self {
        Self { program: program.to_owned(), what: what.to_owned(), ..Self::default() }
    }

    /// Takes over what the clients saw. `start` is what times are counted from.
    pub fn fill(&mut self, mut tally: Tally, start: Instant) {
        let sum = tally.total();
        self.requests += sum.requests();
        self.failed += sum.failed;
        self.reset += sum.reset;
        self.raced += sum.raced;
        self.refused += sum.refused;
        self.turned_away += sum.turned_away;
        let (p99, longest) = tally.latency();
        self.p99 = self.p99.max(p99);
        self.longest = self.longest.max(longest);
        let room = SHOWN.saturating_sub(self.particulars.len());
        self.particulars.extend(tally.incidents.iter().take(room).map(|incident| incident.describe(start)));
        let reopened = tally.of(Kind::Kept).reopened;
        if reopened > 0 {
            self.notes.push(format!("{reopened} idle connections closed between two requests"));
        }
    }

    /// No request may have failed, been reset or refused, or lost a race.
    pub fn forbid_loss(&mut self) {
        for (count, what) in
            [(self.failed, "failed"), (self.reset, "reset"), (self.raced, "raced"), (self.refused, "refused")]
        {
            if count > 0 {
                self.problems.push(format!("{count} {what}"));
            }
        }
    }

    /// The same, except for the clients that keep their connections.
    pub fn forbid_loss_of_closing(&mut self, tally: &Tally) {
        for kind in [Kind::Closing, Kind::Upload, Kind::Slow] {
            let counts = tally.of(kind);
            let lost = counts.failed + counts.reset + counts.refused;
            if lost > 0 {
                self.problems.push(format!("{lost} of {kind:?} failed, reset or refused"));
            }
        }
    }

    fn times(&self) -> Option<(Duration, Duration)> {
        let mut times = self.times.clone();
        times.sort_unstable();
        Some((*times.get(times.len() / 2)?, *times.last()?))
    }

    /// One line, without the case's name.
    pub fn line(&self) -> String {
        let Self { program, what, done, requests, failed, reset, raced, refused, turned_away, .. } = self;
        let mut line = format!(
            "{program}: {requests} requests, {failed} failed, {raced} raced, {refused} refused, {reset} reset"
        );
        // Writing to a string cannot fail.
        if *turned_away > 0 {
            let _ = write!(line, ", {turned_away} turned away at the end");
        }
        let _ = write!(line, "; {done} {what}");
        if let Some((median, longest)) = self.times() {
            let _ = write!(line, ", median {}, longest {}", seconds(median), seconds(longest));
        }
        let _ = write!(line, "; latency p99 {}, longest {}", millis(self.p99), millis(self.longest));
        for note in &self.notes {
            let _ = write!(line, "; {note}");
        }
        if !self.problems.is_empty() {
            let _ = write!(line, "; NOT WELL: {}", self.problems.join("; "));
        }
        line
    }

    /// The cells of a table.
    pub fn cells(&self, case: &str) -> Vec<String> {
        let times = self.times();
        let time = |pick: fn((Duration, Duration)) -> Duration| {
            times.map_or_else(|| "-".to_owned(), |both| seconds(pick(both)))
        };
        let counts = [self.requests, self.failed, self.raced, self.refused, self.reset];
        let mut cells = vec![case.to_owned(), self.program.clone(), format!("{} {}", self.done, self.what)];
        cells.extend(counts.map(|count| count.to_string()));
        cells.extend([time(|both| both.0), time(|both| both.1), millis(self.p99), millis(self.longest)]);
        cells.push(self.notes.join("; "));
        cells
    }

    /// For another process.
    pub fn to_json(&self) -> Value {
        let micros = |time: &Duration| time.as_micros() as u64;
        json!({
            "program": self.program, "what": self.what, "done": self.done,
            "times": self.times.iter().map(micros).collect::<Vec<_>>(),
            "requests": self.requests, "failed": self.failed, "reset": self.reset, "raced": self.raced,
            "refused": self.refused, "turned_away": self.turned_away,
            "p99": micros(&self.p99), "longest": micros(&self.longest),
            "notes": self.notes, "problems": self.problems, "particulars": self.particulars,
        })
    }

    /// The inverse; `None` for anything else.
    pub fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| Some(value[name].as_str()?.to_owned());
        let number = |name: &str| value[name].as_u64();
        let time = |name: &str| number(name).map(Duration::from_micros);
        let texts = |name: &str| {
            let all = value[name].as_array()?.iter();
            all.map(|text| Some(text.as_str()?.to_owned())).collect::<Option<Vec<_>>>()
        };
        let times = value["times"].as_array()?.iter();
        Some(Self {
            program: text("program")?,
            what: text("what")?,
            done: usize::try_from(number("done")?).ok()?,
            times: times.map(|time| time.as_u64().map(Duration::from_micros)).collect::<Option<_>>()?,
            requests: number("requests")?,
            failed: number("failed")?,
            reset: number("reset")?,
            raced: number("raced")?,
            refused: number("refused")?,
            turned_away: number("turned_away")?,
            p99: time("p99")?,
            longest: time("longest")?,
            notes: texts("notes")?,
            problems: texts("problems")?,
            particulars: texts("particulars")?,
        })
    }
}

/// The head of the table whose rows are `Row::cells`.
pub const HEAD: [&str; 13] = [
    "case",
    "program",
    "what",
    "requests",
    "failed",
    "raced",
    "refused",
    "reset",
    "median",
    "longest",
    "p99",
    "longest wait",
    "remarks",
];

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn millis(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1e3)
}
