//! Which lines somebody wants to see, and how a line is shown that anybody may have written. It reads and prints nothing.

use crate::io::output::plain::Plain;

/// What a line has to be.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Wanted {
    /// Not written before this time, as `2026-01-02T03:04:05.678Z`.
    pub(in crate::cli) since: Option<String>,
    /// It contains this.
    pub(in crate::cli) text: String,
}

impl Wanted {
    pub(in crate::cli) fn is_all(&self) -> bool {
        self.since.is_none() && self.text.is_empty()
    }

    /// A line that was written at this time. One of which that is not known is none of a certain time.
    pub(in crate::cli) fn is(&self, time: Option<&str>, text: &str) -> bool {
        let in_time = self.since.as_deref().is_none_or(|since| time.is_some_and(|time| time >= since));
        in_time && text.contains(&self.text)
    }
}

/// The time with which a line of a log file begins, as text or as JSON; `None` of one that a worker wrote by itself.
pub(in crate::cli) fn time_of(line: &str) -> Option<&str> {
    const SHAPE: &str = "0000-00-00T00:00:00.000Z";
    let line = line.strip_prefix("{\"ts\":\"").unwrap_or(line);
    let time = line.get(..SHAPE.len())?;
    let fits = |(own, shape): (u8, u8)| if shape == b'0' { own.is_ascii_digit() } else { own == shape };
    std::iter::zip(time.bytes(), SHAPE.bytes()).all(fits).then_some(time)
}

/// Without colours, and without anything else that a terminal would obey. Tabs stay.
pub(in crate::cli) fn shown(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("\x1b[") {
        let (before, sequence) = rest.split_at(start);
        let parameters = sequence[2..].find(|letter: char| !letter.is_ascii_digit() && letter != ';');
        let end = parameters.map(|len| 2 + len).filter(|end| sequence[*end..].starts_with('m'));
        plain.push_str(before);
        // What is no choice of a colour stays, and is made harmless below.
        let kept = if end.is_some() { "" } else { "\x1b[" };
        plain.push_str(kept);
        rest = &sequence[end.map_or(2, |end| end + 1)..];
    }
    plain.push_str(rest);
    plain.split('\t').map(|part| Plain(part).to_string()).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_at_the_beginning_only() {
        let time = "2026-01-02T03:04:05.678Z";
        assert_eq!(time_of(&format!("{time} clustermon web: up")), Some(time));
        assert_eq!(time_of(&format!("{{\"ts\":\"{time}\",\"level\":\"info\"}}")), Some(time));
        assert_eq!(time_of(&format!("at {time}")), None);
        assert_eq!(time_of("2026-01-02 03:04:05,678 INFO"), None);
        assert_eq!(time_of("2026-01-02T03:04:05.67éZ"), None);
    }

    #[test]
    fn lines_are_chosen_by_time_and_text() {
        let wanted = Wanted { since: Some("2026-01-02T03:04:05.000Z".to_owned()), text: "er".to_owned() };
        assert!(wanted.is(Some("2026-01-02T03:04:05.000Z"), "error"));
        assert!(!wanted.is(Some("2026-01-02T03:04:04.999Z"), "error"));
        assert!(!wanted.is(Some("2026-01-02T03:04:06.000Z"), "Error"[..3].trim_end_matches('r')));
        assert!(!wanted.is(None, "error") && !wanted.is_all());
        assert!(Wanted::default().is(None, "") && Wanted::default().is_all());
    }

    #[test]
    fn colours_go_and_what_else_a_terminal_obeys_is_shown() {
        for (text, expected) in [
            ("\x1b[1;31mred\x1b[0m\tand \x1b[mplain", "red\tand plain"),
            ("\x1b[2J", "\\u{1b}[2J"),
            ("\x1b[31", "\\u{1b}[31"),
            ("a\x1b[1é", "a\\u{1b}[1é"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
