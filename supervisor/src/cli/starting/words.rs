//! A command line of `run` by its options: each once, by its long name, however it was written. It checks no value.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, Command};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// What was given: for each option by its long name its values, none for each time where it takes none; and the command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) options: BTreeMap<String, Vec<Option<OsString>>>,
    pub(super) command: Vec<OsString>,
}

impl Words {
    /// Reads them by this definition; or says in one line what is wrong.
    pub(super) fn read(definition: Command, words: &[OsString]) -> Result<Self, String> {
        let definition = definition.no_binary_name(true);
        let parse =
            |words: &mut dyn Iterator<Item = &OsString>| definition.clone().try_get_matches_from(words);
        let mut matches = parse(&mut words.iter());
        // Beside --detach alone there can be a --log; a file of apps does not say it.
        let detach = OsString::from("--detach");
        let lacks = matches.as_ref().is_err_and(|error| error.kind() == ErrorKind::MissingRequiredArgument);
        if lacks {
            matches = parse(&mut std::iter::once(&detach).chain(words));
        }
        let matches = matches.map_err(|error| crate::cli::output::complaint::one_line(&error.to_string()))?;
        let mut read = Self::default();
        for option in definition.get_arguments() {
            let id = option.get_id().as_str();
            // Of some ids clap makes no value, such as that of the help.
            if !matches!(matches.try_contains_id(id), Ok(true))
                || matches.value_source(id) != Some(ValueSource::CommandLine)
            {
                continue;
            }
            let values = || matches.get_raw(id).into_iter().flatten().map(OsStr::to_owned);
            match (option.get_long(), option.get_action()) {
                (None, _) => read.command = values().collect(),
                (Some(long), ArgAction::SetTrue) => drop(read.options.insert(long.to_owned(), vec![None])),
                (Some(long), ArgAction::Count) => {
                    read.options.insert(long.to_owned(), vec![None; matches.get_count(id).into()]);
                }
                (Some(long), _) => drop(read.options.insert(long.to_owned(), values().map(Some).collect())),
            }
        }
        if lacks {
            read.options.remove("detach");
        }
        Ok(read)
    }

    pub(super) fn is_in_background(&self) -> bool {
        self.options.contains_key("detached")
    }

    /// The option is to be as it is there.
    pub(super) fn keep(&mut self, option: &str, there: &Self) {
        match there.options.get(option) {
            Some(values) => drop(self.options.insert(option.to_owned(), values.clone())),
            None => drop(self.options.remove(option)),
        }
    }

    /// The command line that says this.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let given =
            self.options.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)));
        let options = given.map(|(name, value)| {
            let mut word = OsString::from(format!("--{name}"));
            if let Some(value) = value {
                word.push("=");
                word.push(value);
            }
            word
        });
        options.chain(["--".into()]).chain(self.command.iter().cloned()).collect()
    }

    /// What was given of an option, for people.
    pub(super) fn told(&self, option: &str) -> Option<String> {
        let values: Vec<_> =
            self.options.get(option)?.iter().flatten().map(|value| value.to_string_lossy()).collect();
        Some(if values.is_empty() { "on".to_owned() } else { values.join(", ") })
    }

    /// The options that are not the default, for who looks at the cluster later; `true` for one that takes no value. What is hidden in the help
    /// is not among them.
    pub(super) fn differing(&self, definition: &Command) -> BTreeMap<String, String> {
        let shown = definition.get_arguments().filter(|option| !option.is_hide_set());
        let given = shown.filter_map(|option| {
            let long = option.get_long()?;
            let values = self.options.get(long)?;
            let texts: Vec<_> = values.iter().flatten().map(|value| value.to_string_lossy()).collect();
            let told = match option.get_action() {
                ArgAction::SetTrue => "true".to_owned(),
                ArgAction::Count => values.len().to_string(),
                _ if texts.iter().map(|text| &**text).eq(option
                    .get_default_values()
                    .iter()
                    .map(|value| value.to_str().unwrap_or_default())) =>
                {
                    return None;
                }
                _ => texts.join(","),
            };
            Some((long.to_owned(), told))
        });
        given.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run_command;

    fn options(words: &str) -> Vec<(String, String)> {
        let words: Vec<_> = words.split(' ').map(Into::into).collect();
        Words::read(run_command(), &words).unwrap().differing(&run_command()).into_iter().collect()
    }

    #[test]
    fn only_what_is_not_the_default_and_nothing_of_the_command() {
        let told = options(
            "-d --detached -vv -n 2 --share *:1 --share *:2 --restart-delay 100ms --capture x -n 7 --cwd /y",
        );
        let told: Vec<_> = told.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected = [
            ("capture", "true"),
            ("detach", "true"),
            ("share", "*:1,*:2"),
            ("verbose", "2"),
            ("workers", "2"),
        ];
        assert_eq!(told, expected);
    }
}
