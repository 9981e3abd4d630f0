//! What the keys of the file are: the options of `run`, as clap knows them. There is no second list of options: an option that is added to
//! `run` is a key of the file.

use super::fault::Fault;
use super::fault::Span;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, ValueHint};
use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;
use std::path::PathBuf;

/// Options that are no keys, and what does the same.
const ELSEWHERE: [(&str, &str); 2] = [
    ("name", "an app is called by its table: [app.NAME]"),
    ("detach", "`clustermon up -d` runs in the background"),
];

/// The options of `run`.
#[derive(Debug)]
pub(crate) struct Options(Command);

/// What kind of value an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// None: it is given or not.
    Switch,
    /// None: it is given several times.
    Count,
    One,
    Many,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opt<'a>(&'a Arg);

impl Options {
    /// `run` is the definition of the command.
    pub(crate) fn of(run: Command) -> Self {
        let mut run = run.no_binary_name(true);
        run.build();
        Self(run)
    }

    /// All that are keys, in the order of the help.
    pub(super) fn keys(&self) -> impl Iterator<Item = Opt<'_>> {
        self.all().filter(|option| option.elsewhere().is_none())
    }

    /// The option of that name, whether it is a key or not.
    pub(super) fn find(&self, name: &str) -> Option<Opt<'_>> {
        self.all().find(|option| option.name() == name)
    }

    fn all(&self) -> impl Iterator<Item = Opt<'_>> {
        let shown = |arg: &&Arg| !arg.is_hide_set() && arg.get_long().is_some_and(|long| long != "help");
        self.0.get_arguments().filter(shown).map(Opt)
    }

    /// Whether `run` could read these. It is told --detach, too, beside which alone there can be a --log.
    pub(super) fn check(&self, arguments: &[OsString]) -> Result<(), clap::Error> {
        let words = arguments.iter().cloned().chain(["--detach".into()]);
        self.0.clone().try_get_matches_from(words).map(drop)
    }

    /// Whether one says in another way what the other says, so that only one can be given.
    pub(super) fn exclude(&self, one: &str, other: &str) -> bool {
        // The builder refuses these two, since a program could give both as well.
        if matches!((one, other), ("workers", "logical-ids") | ("logical-ids", "workers")) {
            return true;
        }
        let known = |from: Opt<'_>, other: &str| {
            self.0.get_arg_conflicts_with(from.0).iter().any(|arg| arg.get_long() == Some(other))
        };
        let both = self.find(one).zip(self.find(other));
        both.is_some_and(|(a, b)| known(a, other) || known(b, one))
    }

    /// A complaint about options, in the words of the file: `restart-delay` for --restart-delay.
    pub(super) fn reworded(&self, complaint: &str) -> String {
        let told = pieces(complaint).map(|(before, name)| match self.find(name) {
            Some(_) => format!("{before}`{name}`"),
            None if name.is_empty() => before.to_owned(),
            None => format!("{before}--{name}"),
        });
        told.collect()
    }

    /// The options that a complaint names, in its order.
    pub(super) fn named<'a>(&'a self, complaint: &'a str) -> impl Iterator<Item = &'a str> {
        pieces(complaint).filter_map(|(_, name)| self.find(name)).map(|option| option.name())
    }
}

/// What stands before each `--NAME` of a text, and the name; behind the last one an empty name.
fn pieces(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some((before, after)) = text.split_once("--") else { return Some((text, "")) };
        let end = after.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(after.len());
        rest = Some(&after[end..]);
        Some((before, &after[..end]))
    })
}

impl<'a> Opt<'a> {
    /// The key.
    pub(super) fn name(self) -> &'a str {
        self.0.get_long().unwrap_or_default()
    }

    /// Why it is no key.
    pub(super) fn elsewhere(self) -> Option<&'static str> {
        ELSEWHERE.iter().find(|(name, _)| *name == self.name()).map(|(_, instead)| *instead)
    }

    pub(super) fn kind(self) -> Kind {
        match self.0.get_action() {
            ArgAction::SetTrue | ArgAction::SetFalse => Kind::Switch,
            ArgAction::Count => Kind::Count,
            ArgAction::Append => Kind::Many,
            _ => Kind::One,
        }
    }

    /// A path of a file or a folder.
    pub(super) fn is_path(self) -> bool {
        self.is_of::<PathBuf>() || self.0.get_value_hint() == ValueHint::FilePath
    }

    /// Any text, for which a number is a mistake.
    pub(super) fn is_text(self) -> bool {
        self.is_path() || self.is_of::<OsString>() || self.is_of::<String>()
    }

    /// A number and nothing else. (A mask is one, too, but in octal, and amounts have a unit: only a text can say these.)
    pub(super) fn is_number(self) -> bool {
        let needs_text = ["MODE", "SIZE", "PERCENT"].contains(&self.value_name());
        !needs_text
            && (self.is_of::<u16>()
                || self.is_of::<i32>()
                || self.is_of::<u32>()
                || self.is_of::<i64>()
                || self.is_of::<u64>())
    }

    fn is_of<T: 'static>(self) -> bool {
        self.0.get_value_parser().type_id() == TypeId::of::<T>()
    }

    /// What the help calls its value: `DURATION`, `text|json`.
    pub(super) fn value_name(self) -> &'a str {
        self.0.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str())
    }

    /// What the help says.
    pub(super) fn help(self) -> String {
        let help = self.0.get_long_help().or(self.0.get_help()).map(ToString::to_string).unwrap_or_default();
        help.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The default, where it is a value.
    pub(super) fn default(self) -> Option<&'a str> {
        self.0.get_default_values().first().and_then(|value| value.to_str())
    }

    /// What is wrong with the value there, by what clap says.
    pub(super) fn fault(self, span: Span, error: &clap::Error) -> Fault {
        let what = format!("bad value of `{}`", self.name());
        let is_empty = matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(given)) if given.is_empty());
        let advice = match (error.kind(), error.source()) {
            // What the parser of the standard library says of them helps nobody.
            (ErrorKind::ValueValidation, Some(_)) if self.is_number() => "give a whole number".to_owned(),
            (ErrorKind::ValueValidation, Some(source)) => source.to_string(),
            (ErrorKind::InvalidValue, _) if is_empty => "this is empty".to_owned(),
            _ => {
                let text = error.to_string();
                let first = text.lines().next().unwrap_or_default();
                first.trim_start_matches("error: ").to_owned()
            }
        };
        Fault::new(span, what, advice)
    }
}
