//! Faults as people read them: what, file, line and column, the line itself, and what to write instead. A value of a variable is never
//! shown: it is masked in the text, and of a text that is no TOML nothing is shown.

use super::fault::{Fault, Span};
use crate::io::output::plain::Plain;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

/// The text of a file that faults were found in.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    path: String,
    text: String,
    faults: &'a [Fault],
}

impl<'a> Report<'a> {
    /// `secrets` are what is masked.
    pub(crate) fn new(path: &str, text: &str, secrets: &[Span], faults: &'a [Fault]) -> Self {
        let mut masked = text.as_bytes().to_vec();
        let bytes = secrets.iter().flat_map(Clone::clone);
        for at in bytes {
            if let Some(byte) = masked.get_mut(at).filter(|byte| **byte != b'\n') {
                *byte = b'*';
            }
        }
        // Whole characters were replaced, so it is text.
        Self { path: Plain(path).to_string(), text: String::from_utf8_lossy(&masked).into_owned(), faults }
    }

    /// One paragraph for each fault.
    pub(crate) fn render(&self, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let paragraphs = self.faults.iter().map(|fault| renderer.render(&[self.group(fault)]));
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }

    fn group(&self, fault: &Fault) -> Group<'_> {
        let title = Level::ERROR.primary_title(Plain(&fault.what).to_string());
        let span = self.inside(&fault.span);
        if fault.is_syntax || span == (0..0) {
            let (line, column) = self.position(span.start);
            let origin = match fault.is_syntax {
                true => Origin::path(&*self.path).line(line).char_column(column),
                false => Origin::path(&*self.path),
            };
            let group = title.element(origin);
            return match fault.advice.is_empty() {
                true => group,
                false => group.element(Level::HELP.message(Plain(&fault.advice).to_string())),
            };
        }
        let mut mark = AnnotationKind::Primary.span(span);
        if !fault.advice.is_empty() {
            mark = mark.label(Plain(&fault.advice).to_string());
        }
        title.element(Snippet::source(&*self.text).path(&*self.path).annotation(mark))
    }

    /// Of a value over several lines the first is enough.
    fn inside(&self, span: &Span) -> Span {
        let end = span.end.min(self.text.len());
        let start = span.start.min(end);
        let first = self.text.get(start..end).and_then(|text| text.find('\n')).map_or(end, |at| start + at);
        start..first
    }

    /// From 1.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        (line, column)
    }
}
