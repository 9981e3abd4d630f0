//! Two command lines of `run`, option by option: what is another way in the new one, and the new one without what a cluster that runs cannot
//! take. It changes no cluster.

use super::given;
use super::log_args::ABOUT_THE_FILE;
use super::run::{Args, command};
use crate::api::{Difference, Takes};
use crate::config::{Comparison, takes};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};

/// Options that say how the supervisor was started, and nothing of the cluster.
const OF_THE_START: [&str; 3] = ["detach", "detached", "app-file"];

/// What was given: for each option by its long name its values, none for each time where it takes none; and the command.
#[derive(Debug, Default, PartialEq, Eq)]
struct Words {
    options: BTreeMap<String, Vec<Option<OsString>>>,
    command: Vec<OsString>,
}

/// As [`Comparison`]. The new words need not say how the supervisor was started: that stays.
pub(in crate::cli) fn compare(old: &[OsString], new: &[OsString]) -> Result<Comparison, String> {
    let (old, mut new) = (Words::read(old)?, Words::read(new)?);
    for option in OF_THE_START {
        new.keep(option, &old);
    }
    // Without a background there is no such file.
    if !old.is_in_background() {
        ABOUT_THE_FILE.iter().for_each(|option| new.keep(option, &old));
    }
    let config = |words: &Words| {
        let words = words.arguments();
        let options = given::options(command(), words.clone());
        Args::read(words)?.config_given(options).map_err(|fault| fault.to_string())
    };
    let (before, after) = (config(&old)?, config(&new)?);
    let options: BTreeSet<_> = old.options.keys().chain(new.options.keys()).cloned().collect();
    let mut differences = Vec::new();
    if old.command != new.command {
        let told = |words: &Words| Some(shown(&words.command));
        differences.push(Difference::new("command", told(&old), told(&new), Takes::Reload));
    }
    for option in &options {
        if old.options.get(option) == new.options.get(option) {
            continue;
        }
        let takes = takes(option, &before, &after);
        differences.push(Difference::new(option, old.told(option), new.told(option), takes));
        if takes == Takes::Start {
            new.keep(option, &old);
        }
    }
    let words = new.arguments();
    Ok(Comparison { differences, config: config(&new)?, words })
}

impl Words {
    fn read(words: &[OsString]) -> Result<Self, String> {
        let definition = command().no_binary_name(true);
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
                    read.options.insert(long.to_owned(), vec![None; count(&matches, id)]);
                }
                (Some(long), _) => drop(read.options.insert(long.to_owned(), values().map(Some).collect())),
            }
        }
        if lacks {
            read.options.remove("detach");
        }
        Ok(read)
    }

    fn is_in_background(&self) -> bool {
        self.options.contains_key("detached")
    }

    /// The option is to be as it is there.
    fn keep(&mut self, option: &str, there: &Self) {
        match there.options.get(option) {
            Some(values) => drop(self.options.insert(option.to_owned(), values.clone())),
            None => drop(self.options.remove(option)),
        }
    }

    /// The command line that says this.
    fn arguments(&self) -> Vec<OsString> {
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
    fn told(&self, option: &str) -> Option<String> {
        let values: Vec<_> =
            self.options.get(option)?.iter().flatten().map(|value| value.to_string_lossy()).collect();
        Some(if values.is_empty() { "on".to_owned() } else { values.join(", ") })
    }
}

fn count(matches: &ArgMatches, id: &str) -> usize {
    matches.get_count(id).into()
}

/// Words, for people.
fn shown(words: &[OsString]) -> String {
    words.iter().map(|word| crate::cli::output::shell::quoted(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split_whitespace().map(OsString::from).collect()
    }

    fn told(old: &str, new: &str) -> (Vec<(String, Takes)>, String) {
        let Comparison { differences, words, .. } = compare(&words(old), &words(new)).unwrap();
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        (differences.into_iter().map(|found| (found.what, found.takes)).collect(), words.join(" "))
    }

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let (differences, words) = told(
            "-n 4 --stop-timeout 5s --share *:80 --share *:81 node server.js --port 1",
            "--share=*:80 --share=*:81 --workers=4 --stop-timeout=5s -- node server.js --port 1",
        );
        assert_eq!(differences, []);
        assert_eq!(
            words,
            "--share=*:80 --share=*:81 --stop-timeout=5s --workers=4 -- node server.js --port 1"
        );
    }

    #[test]
    fn what_takes_a_new_supervisor_stays_as_it_was() {
        let (differences, words) = told(
            "--detached --detach --log a.log --workers 2 --capture -v -- ./a",
            "--log=b.log --workers=3 --cwd=/tmp -v -v -- ./b x",
        );
        let expected = [
            ("command", Takes::Reload),
            ("capture", Takes::Start),
            ("cwd", Takes::Reload),
            ("log", Takes::Start),
            ("verbose", Takes::Start),
            ("workers", Takes::Nothing),
        ];
        assert_eq!(differences, expected.map(|(what, takes)| (what.to_owned(), takes)));
        assert_eq!(
            words,
            "--capture --cwd=/tmp --detach --detached --log=a.log --verbose --workers=3 -- ./b x"
        );
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        let wrong = |new: &str| compare(&words("./a"), &words(new)).unwrap_err();
        assert!(wrong("--workers=0 -- ./a").contains("--workers"), "{}", wrong("--workers=0 -- ./a"));
        assert!(!wrong("--nothing -- ./a").contains('\n'));
    }
}
