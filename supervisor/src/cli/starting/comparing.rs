//! Two command lines of `run`, option by option: what is another way in the new one, and the new one without what a cluster that runs cannot
//! take. It changes no cluster.

use super::log_args::ABOUT_THE_FILE;
use super::run::{Args, command};
use super::words::Words;
use crate::api::{Difference, Takes};
use crate::cli::output::shell;
use crate::config::{Comparison, takes};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Options that say how the supervisor was started, and nothing of the cluster.
const OF_THE_START: [&str; 3] = ["detach", "detached", "app-file"];

/// As [`Comparison`]. The new words need not say how the supervisor was started: that stays.
pub(in crate::cli) fn compare(old: &[OsString], new: &[OsString]) -> Result<Comparison, String> {
    let (old, mut new) = (Words::read(command(), old)?, Words::read(command(), new)?);
    for option in OF_THE_START {
        new.keep(option, &old);
    }
    // Without a background there is no such file.
    if !old.is_in_background() {
        ABOUT_THE_FILE.iter().for_each(|option| new.keep(option, &old));
    }
    let config = |words: &Words| {
        let options = words.differing(&command());
        Args::read(words.arguments())?.config_given(options).map_err(|fault| fault.to_string())
    };
    let (before, after) = (config(&old)?, config(&new)?);
    let options: BTreeSet<_> = old.options.keys().chain(new.options.keys()).cloned().collect();
    let mut differences = Vec::new();
    if old.command != new.command {
        let told = |words: &Words| Some(shell::line(&words.command));
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
