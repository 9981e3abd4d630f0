//! Which options a command line gives that are not the default, for who looks at the cluster later. It checks none of them.

use clap::ArgAction;
use clap::parser::ValueSource;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The options among these words of `run`, by their long names, as they were written; `true` for a flag. None where the words cannot be
/// read, which is told elsewhere.
pub(in crate::cli) fn options(command: clap::Command, words: Vec<OsString>) -> BTreeMap<String, String> {
    let command = command.no_binary_name(true);
    let Ok(matches) = command.clone().try_get_matches_from(words) else { return BTreeMap::new() };
    let mut options = BTreeMap::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
        let id = arg.get_id().as_str();
        let (Some(long), Some(ValueSource::CommandLine)) = (arg.get_long(), matches.value_source(id)) else {
            continue;
        };
        let value = match arg.get_action() {
            ArgAction::SetTrue => "true".to_owned(),
            ArgAction::Count => matches.get_count(id).to_string(),
            _ => {
                let given: Vec<_> = matches.get_raw(id).into_iter().flatten().collect();
                if given.iter().copied().eq(arg.get_default_values().iter().map(|value| value.as_os_str())) {
                    continue;
                }
                given.iter().map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(",")
            }
        };
        options.insert(long.to_owned(), value);
    }
    options
}

#[cfg(test)]
mod tests {
    use crate::cli::run_command;

    fn options(words: &str) -> Vec<(String, String)> {
        super::options(run_command(), words.split(' ').map(Into::into).collect()).into_iter().collect()
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
        assert!(options("--no-such-option x").is_empty());
    }
}
