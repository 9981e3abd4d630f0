//! What one table of the file says of an app: `[defaults]`, `[app.web]` or the same below a profile. It reads the table key by key, and
//! goes on after a fault, so that all faults are found at once.

use super::super::Wanted;
use super::super::fault::{Fault, Span};
use super::super::options::{Opt, Options};
use super::command_line;
use super::value::{self, kind};
use crate::spelling::nearest;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Keys that are no options of `run`.
pub(in crate::app_file) const COMMAND: &str = "command";
pub(in crate::app_file) const ENV: &str = "env";
pub(in crate::app_file) const AFTER: &str = "after";

/// One table.
#[derive(Clone, Debug, Default)]
pub(in crate::app_file) struct Layer {
    /// By key.
    pub(in crate::app_file) values: BTreeMap<String, Given>,
    pub(in crate::app_file) command: Option<(Vec<String>, Span)>,
    pub(in crate::app_file) env: BTreeMap<String, String>,
    pub(in crate::app_file) after: Option<Vec<(String, Span)>>,
    /// Keys whose values are at fault and were left out: what is made of the rest may be at fault for that reason alone.
    pub(in crate::app_file) lacks: BTreeSet<String>,
}

/// A value, as arguments of `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(in crate::app_file) arguments: Vec<OsString>,
    pub(in crate::app_file) span: Span,
}

/// Which table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app_file) enum Place {
    App,
    Defaults,
}

/// Reads one.
pub(in crate::app_file) fn read(
    table: &DeTable<'_>,
    place: Place,
    wanted: Wanted<'_>,
    faults: &mut Vec<Fault>,
) -> Layer {
    let mut layer = Layer::default();
    for (key, value) in table.iter() {
        match key.get_ref().as_ref() {
            COMMAND => match command_line::words(value.get_ref(), value.span()) {
                Ok(words) => layer.command = Some((words, value.span())),
                Err(fault) => {
                    layer.lacks.insert(COMMAND.to_owned());
                    faults.push(fault);
                }
            },
            ENV => layer.env = variables(value, faults),
            AFTER if place == Place::App => layer.after = Some(names(value, faults)),
            name => {
                if let Some(option) = known(name, key.span(), wanted.options, faults) {
                    layer.put(option, value, wanted, faults);
                }
            }
        }
    }
    layer
}

impl Layer {
    /// Takes the value of an option, if `run` could read it.
    pub(in crate::app_file) fn put(
        &mut self,
        option: Opt<'_>,
        value: &Spanned<DeValue<'_>>,
        wanted: Wanted<'_>,
        faults: &mut Vec<Fault>,
    ) {
        let span = value.span();
        let read =
            value::arguments(option, value.get_ref(), span.clone(), wanted.folder).and_then(|arguments| {
                wanted.options.check(&arguments).map_err(|error| option.fault(span.clone(), &error))?;
                Ok(arguments)
            });
        match read {
            Ok(arguments) => {
                self.values.insert(option.name().to_owned(), Given { arguments, span });
            }
            Err(fault) => {
                self.lacks.insert(option.name().to_owned());
                faults.push(fault);
            }
        }
    }
}

/// The option that the key means; if none, that is a fault.
fn known<'a>(name: &str, span: Span, options: &'a Options, faults: &mut Vec<Fault>) -> Option<Opt<'a>> {
    let option = options.find(name);
    let (what, advice) = match option.map(|option| (option, option.elsewhere())) {
        Some((option, None)) => return Some(option),
        Some((_, Some(elsewhere))) => (format!("`{name}` is no key"), elsewhere.to_owned()),
        None => (format!("unknown key `{name}`"), guess(name, options, &[])),
    };
    faults.push(Fault::new(span, what, advice));
    None
}

/// A key that stands at the top of the file, or of a profile, where only tables do.
pub(in crate::app_file) fn misplaced(name: &str, span: Span, tables: &[&str], options: &Options) -> Fault {
    if options.find(name).is_some() || [COMMAND, ENV, AFTER].contains(&name) {
        let advice = "put it below [app.NAME], or below [defaults] for every app";
        return Fault::new(span, format!("`{name}` is for an app"), advice);
    }
    Fault::new(span, format!("unknown key `{name}`"), guess(name, options, tables))
}

/// What may have been meant by a name that is no key; `tables` are what else could stand there.
fn guess(name: &str, options: &Options, tables: &[&str]) -> String {
    let plain = name.replace('_', "-");
    let keys = options.keys().map(|option| option.name()).chain([COMMAND, ENV, AFTER]);
    match nearest(&plain, keys.chain(tables.iter().copied())) {
        None => "`clustermon run --help` lists the options, which are the keys".to_owned(),
        Some(near) if tables.is_empty() || tables.contains(&near) => format!("did you mean `{near}`?"),
        Some(near) => {
            format!("did you mean `{near}`? It stands below [app.NAME], or below [defaults] for every app")
        }
    }
}

/// The variables; no complaint shows a value.
fn variables(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let DeValue::Table(table) = value.get_ref() else {
        let what = format!("`env` takes a table, not {}", kind(value.get_ref()));
        faults.push(Fault::new(value.span(), what, "write { NAME = \"value\" }"));
        return variables;
    };
    for (name, value) in table.iter() {
        let told = match value.get_ref() {
            DeValue::Boolean(value) => Some(value.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            other => value::text(other),
        };
        let name_is_good = !name.get_ref().is_empty() && !name.get_ref().contains(['=', '\0']);
        match told {
            _ if !name_is_good => {
                faults.push(Fault::new(
                    name.span(),
                    "this cannot be the name of a variable",
                    "it is empty, or holds = or a NUL byte",
                ));
            }
            Some(text) if text.contains('\0') => {
                faults.push(Fault::new(
                    value.span(),
                    format!("bad value of the variable {}", name.get_ref()),
                    "it holds a NUL byte",
                ));
            }
            Some(text) => {
                variables.insert(name.get_ref().clone().into_owned(), text);
            }
            None => {
                let what = format!("a variable is a text, not {}", kind(value.get_ref()));
                faults.push(Fault::new(value.span(), what, ""));
            }
        }
    }
    variables
}

/// A list of apps.
fn names(value: &Spanned<DeValue<'_>>, faults: &mut Vec<Fault>) -> Vec<(String, Span)> {
    let mut names = Vec::new();
    let mut take = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(name) => names.push((name.clone().into_owned(), value.span())),
        other => {
            let what = format!("`after` takes a list of apps, not {}", kind(other));
            faults.push(Fault::new(value.span(), what, "write [\"db\"]"));
        }
    };
    match value.get_ref() {
        DeValue::Array(values) => values.iter().for_each(take),
        _ => take(value),
    }
    names
}
