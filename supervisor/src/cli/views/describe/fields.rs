//! Lines of a name and what there is to say of it, with the values below each other. Knows nothing of clusters.

use crate::io::output::plain::Plain;
use std::fmt::Write;

/// What is known, in the order in which it was added; what there is nothing to say of is left out.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Vec<String>)>);

impl Fields {
    pub(super) fn add(&mut self, name: &'static str, value: impl Into<Option<String>>) {
        self.add_all(name, value.into());
    }

    /// A line each, of which the first has the name.
    pub(super) fn add_all(&mut self, name: &'static str, values: impl IntoIterator<Item = String>) {
        let values: Vec<_> = values.into_iter().filter(|value| !value.is_empty()).collect();
        if !values.is_empty() {
            self.0.push((name, values));
        }
    }

    pub(super) fn text(&self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, values) in &self.0 {
            for (number, value) in values.iter().enumerate() {
                let name = if number == 0 { *name } else { "" };
                // Formatting into a string cannot fail.
                let _ = writeln!(text, "{name:width$}  {}", Plain(value));
            }
        }
        text
    }
}
