//! Rows of text, set out so that they read well as they are and as Markdown.

use super::stats::{Figures, Ratio};
use std::fmt::Write;
use std::time::Duration;

/// A table that grows by rows.
#[derive(Debug)]
pub(in crate::bench) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::bench) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|cell| (*cell).to_owned()).collect()] }
    }

    /// The columns of `figures`.
    pub(in crate::bench) fn of_figures(first: &str) -> Self {
        Self::new(&[first, "rate/s", "p50 ms", "p99 ms", "max ms", "deviation ms", "failed", "CPU us"])
    }

    pub(in crate::bench) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(in crate::bench) fn figures(&mut self, name: &str, figures: &Figures) {
        let times = [figures.p50, figures.p99, figures.max, figures.deviation].map(ms);
        let cells = std::iter::once(format!("{:.0}", figures.rate)).chain(times);
        self.row(
            std::iter::once(name.to_owned())
                .chain(cells)
                .chain([figures.failed.to_string(), format!("{:.1}", figures.spent.as_secs_f64() * 1e6)]),
        );
    }

    /// The first column reads from the left, numbers from the right.
    pub(in crate::bench) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            for (column, width) in widths.iter().enumerate() {
                let text = cell(row, column);
                // Writing to a string cannot fail.
                let _ = match column {
                    0 => write!(out, "| {text:<width$} "),
                    _ => write!(out, "| {text:>width$} "),
                };
            }
            out.push_str("|\n");
            if at == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(*width);
                    let _ = match column {
                        0 => write!(out, "| {line} "),
                        _ => write!(out, "| {}: ", &line[..width.saturating_sub(1)]),
                    };
                }
                out.push_str("|\n");
            }
        }
        out
    }
}

/// Milliseconds with three digits after the point.
pub(in crate::bench) fn ms(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// `rate: 1.02 (0.99 to 1.04), at least 1.00: ok`
pub(in crate::bench) fn at_least(what: &str, ratio: Ratio, goal: f64) -> String {
    let Ratio { median, least, most } = ratio;
    let verdict = if median >= goal { "ok" } else { "BELOW" };
    format!("{what}: {median:.3} ({least:.3} to {most:.3}), at least {goal:.2}: {verdict}\n")
}

/// With a verdict where there is a goal.
pub(in crate::bench) fn judged(what: &str, ratio: Ratio, goal: Option<f64>) -> String {
    match goal {
        Some(goal) => at_least(what, ratio, goal),
        None => format!("{what}: {:.3} ({:.3} to {:.3})\n", ratio.median, ratio.least, ratio.most),
    }
}

/// `added: 9.10 us, at most 15 us: ok`
pub(in crate::bench) fn at_most(what: &str, value: f64, goal: f64, unit: &str) -> String {
    let verdict = if value <= goal { "ok" } else { "ABOVE" };
    format!("{what}: {value:.2} {unit}, at most {goal} {unit}: {verdict}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["name", "n"]);
        table.row(["a".to_owned(), "1000".to_owned()]);
        table.row(["long one".to_owned(), "1".to_owned()]);
        let lines =
            ["| name     |    n |", "| -------- | ---: |", "| a        | 1000 |", "| long one |    1 |", ""];
        assert_eq!(table.render(), lines.join("\n"));
    }

    #[test]
    fn verdicts() {
        let ratio = Ratio { median: 0.99, least: 0.9, most: 1.2 };
        assert!(at_least("rate", ratio, 0.95).ends_with("ok\n"));
        assert!(at_least("rate", ratio, 1.0).ends_with("BELOW\n"));
        assert!(at_most("p50", 15.0, 15.0, "us").ends_with("ok\n"));
        assert!(at_most("p50", f64::NAN, 15.0, "us").ends_with("ABOVE\n"));
    }
}
