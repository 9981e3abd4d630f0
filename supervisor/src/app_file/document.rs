//! The tables of the file: `[defaults]`, `[app.NAME]`, and the same again below `[profile.NAME]`. It finds everything that is wrong, in
//! profiles that were not chosen too.

pub(super) mod command_line;
pub(super) mod layer;
mod secrets;
mod value;

use super::Wanted;
use super::fault::{Fault, Span};
use layer::{Layer, Place};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use value::kind;

/// What stands at the top; in a profile the last does not.
const TABLES: [&str; 3] = ["defaults", "app", "profile"];

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) base: Sheet,
    pub(super) profiles: Vec<(String, Sheet)>,
    /// Where values stand that nobody is to be shown.
    pub(super) secrets: Vec<Span>,
}

/// What a profile says, or the file without one.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    pub(super) defaults: Layer,
    pub(super) apps: Vec<Table>,
}

/// `[app.NAME]`.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: String,
    /// Its name in the file.
    pub(super) span: Span,
    pub(super) layer: Layer,
}

/// Reads the text. Of a text that is no TOML only that is told, each place of it: what was made of the rest may hold a value of a
/// variable in the place of a name, which a complaint would show.
pub(super) fn read(text: &str, wanted: Wanted<'_>) -> Result<(Document, Vec<Fault>), Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let end = || text.len()..text.len();
        let fault = |error: &toml::de::Error| Fault {
            is_syntax: true,
            ..Fault::new(error.span().unwrap_or_else(end), error.message(), "")
        };
        return Err(errors.iter().map(fault).collect());
    }
    let mut document = Document::default();
    let mut faults = Vec::new();
    document.base = sheet(table.get_ref(), Some(&mut document.profiles), wanted, &mut faults);
    document.secrets = secrets::find(text, table.get_ref(), wanted.options);
    Ok((document, faults))
}

/// Reads the tables of one; a profile has no profiles.
fn sheet(
    table: &DeTable<'_>,
    mut profiles: Option<&mut Vec<(String, Sheet)>>,
    wanted: Wanted<'_>,
    faults: &mut Vec<Fault>,
) -> Sheet {
    let mut sheet = Sheet::default();
    for (key, value) in table.iter() {
        match (key.get_ref().as_ref(), &mut profiles) {
            ("defaults", _) => {
                if let Some(table) = as_table(value, "[defaults]", faults) {
                    sheet.defaults = layer::read(table, Place::Defaults, wanted, faults);
                }
            }
            ("app", _) => {
                let apps = as_table(value, "[app.NAME]", faults);
                for (name, value) in apps.into_iter().flat_map(|apps| apps.iter()) {
                    if let Some(table) = as_table(value, "[app.NAME]", faults) {
                        let layer = layer::read(table, Place::App, wanted, faults);
                        let name_is = name.get_ref().clone().into_owned();
                        sheet.apps.push(Table { name: name_is, span: name.span(), layer });
                    }
                }
            }
            ("profile", Some(profiles)) => {
                let all = as_table(value, "[profile.NAME]", faults);
                for (name, value) in all.into_iter().flat_map(|all| all.iter()) {
                    if let Some(table) = as_table(value, "[profile.NAME]", faults) {
                        let one = self::sheet(table, None, wanted, faults);
                        profiles.push((name.get_ref().clone().into_owned(), one));
                    }
                }
            }
            (name, profiles) => {
                let tables = if profiles.is_some() { &TABLES[..] } else { &TABLES[..2] };
                faults.push(layer::misplaced(name, key.span(), tables, wanted.options));
            }
        }
    }
    sheet.apps.sort_by_key(|table| table.span.start);
    sheet
}

fn as_table<'a, 'i>(
    value: &'a Spanned<DeValue<'i>>,
    name: &str,
    faults: &mut Vec<Fault>,
) -> Option<&'a DeTable<'i>> {
    if let DeValue::Table(table) = value.get_ref() {
        return Some(table);
    }
    let what = format!("{name} is a table, not {}", kind(value.get_ref()));
    faults.push(Fault::new(value.span(), what, ""));
    None
}
