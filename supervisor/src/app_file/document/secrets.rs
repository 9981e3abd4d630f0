//! Where in the text something stands that nobody is to be shown, so that a line that is shown can be masked: values of variables, and
//! what may be one.

use super::super::fault::Span;
use super::super::options::Options;
use super::layer::{AFTER, COMMAND};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// All such places of a text, and the table that it is.
pub(in crate::app_file) fn find(text: &str, table: &DeTable<'_>, options: &Options) -> Vec<Span> {
    let mut spans = comments(text, table);
    of_sheet(table, options, &mut spans);
    spans
}

/// Where values stand that nobody else should see: those of variables, and those of every key that is none, which may be `env` with a
/// slip of the pen.
fn of_sheet(table: &DeTable<'_>, options: &Options, spans: &mut Vec<Span>) {
    for (key, value) in table.iter() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("app", DeValue::Table(apps)) => apps.iter().for_each(|(_, app)| of_app(app, options, spans)),
            ("defaults", _) => of_app(value, options, spans),
            ("profile", DeValue::Table(profiles)) => {
                for (_, profile) in profiles.iter() {
                    match profile.get_ref() {
                        DeValue::Table(table) => of_sheet(table, options, spans),
                        _ => leaves(profile, spans),
                    }
                }
            }
            _ => leaves(value, spans),
        }
    }
}

fn of_app(app: &Spanned<DeValue<'_>>, options: &Options, spans: &mut Vec<Span>) {
    let DeValue::Table(table) = app.get_ref() else { return leaves(app, spans) };
    for (key, value) in table.iter() {
        let is_key =
            options.find(key.get_ref()).is_some() || matches!(key.get_ref().as_ref(), COMMAND | AFTER);
        match value.get_ref() {
            DeValue::Array(values) if is_key => {
                let tables = values
                    .iter()
                    .filter(|value| matches!(value.get_ref(), DeValue::Table(_) | DeValue::Array(_)));
                tables.for_each(|table| leaves(table, spans));
            }
            DeValue::Table(_) => leaves(value, spans),
            _ if is_key => {}
            _ => leaves(value, spans),
        }
    }
}

fn leaves(value: &Spanned<DeValue<'_>>, spans: &mut Vec<Span>) {
    match value.get_ref() {
        DeValue::Table(table) => table.iter().for_each(|(_, value)| leaves(value, spans)),
        _ => spans.push(value.span()),
    }
}

/// Comments, behind which a variable may stand that somebody has taken out.
fn comments(text: &str, table: &DeTable<'_>) -> Vec<Span> {
    let mut values = Vec::new();
    table.iter().for_each(|(_, value)| leaves(value, &mut values));
    values.sort_by_key(|span| span.start);
    let mut values = values.into_iter().peekable();
    let (mut comments, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.as_bytes().get(at) {
        while values.next_if(|value| value.end <= at).is_some() {}
        match (values.peek(), byte) {
            (Some(value), _) if value.start <= at => at = value.end,
            (_, b'#') => {
                let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
                comments.push(at..end);
                at = end;
            }
            _ => at += 1,
        }
    }
    comments
}
