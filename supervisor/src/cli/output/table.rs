//! Aligned columns of text, with states in colour where that is wanted. Knows nothing of clusters.

use crate::io::output::plain::Plain;
use std::fmt::Write as _;

/// How a cell is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    Plain,
    Good,
    Changing,
    Bad,
}

/// One cell.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(in crate::cli) fn new(text: impl ToString) -> Self {
        Self::toned(text, Tone::Plain)
    }

    pub(in crate::cli) fn toned(text: impl ToString, tone: Tone) -> Self {
        Self { text: Plain(&text.to_string()).to_string(), tone }
    }

    /// `-` for what there is not.
    pub(in crate::cli) fn maybe(text: Option<impl ToString>) -> Self {
        text.map_or_else(|| Self::new("-"), Self::new)
    }
}

/// A column: its head, and whether it holds numbers.
pub(in crate::cli) type Column = (&'static str, bool);

/// The head and a line for each row; every row has a cell for each column.
pub(in crate::cli) fn render(columns: &[Column], rows: &[Vec<Cell>], colours: bool) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, (head, _))| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| cell.text.chars().count()).chain([head.len()]).max().unwrap_or(0)
        })
        .collect();
    let head: Vec<Cell> = columns.iter().map(|(head, _)| Cell::new(head)).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (at, cell) in row.iter().enumerate() {
            let padding = " ".repeat(widths[at] - cell.text.chars().count());
            let shown = coloured(cell, colours);
            let between = if at == 0 { "" } else { "  " };
            let (before, after) =
                if columns[at].1 { (padding, String::new()) } else { (String::new(), padding) };
            // Formatting into a string cannot fail.
            let _ = write!(line, "{between}{before}{shown}{after}");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn coloured(cell: &Cell, colours: bool) -> String {
    let code = match cell.tone {
        Tone::Good => 32,
        Tone::Changing => 33,
        Tone::Bad => 31,
        Tone::Plain => return cell.text.clone(),
    };
    if colours { format!("\x1b[{code}m{}\x1b[0m", cell.text) } else { cell.text.clone() }
}

/// A time as people write it: `12ms`, `1.5s`, `3m20s`, `2h05m`, `3d04h`.
pub(in crate::cli) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms}ms"),
        1..60 => format!("{}.{}s", seconds, ms / 100 % 10),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let columns = [("ID", false), ("COUNT", true), ("NOTE", false)];
        let row = |id: &str, count: u32, note: &str| {
            vec![Cell::toned(id, Tone::Good), Cell::new(count), Cell::new(note)]
        };
        let rows = [row("é", 7, "a\x1b[2J"), row("long-one", 123_456, "")];
        assert_eq!(
            render(&columns, &rows, false),
            "ID         COUNT  NOTE\né              7  a\\u{1b}[2J\nlong-one  123456\n"
        );
        let coloured = render(&columns, &rows, true);
        assert!(coloured.contains("\n\x1b[32mé\x1b[0m              7"), "{coloured:?}");
        assert_eq!(render(&columns, &[], false), "ID  COUNT  NOTE\n");
    }

    #[test]
    fn spans() {
        let shown = [12, 1_540, 200_000, 7_500_000, 273_600_000].map(span);
        assert_eq!(shown, ["12ms", "1.5s", "3m20s", "2h05m", "3d04h"]);
    }
}
