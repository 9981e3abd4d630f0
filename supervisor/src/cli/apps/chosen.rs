//! Which apps of which file `up` and `down` are about: `[FILE] [APP]..`.

use super::{Apps, Depth};
use crate::app_file::App;
use crate::cli::output::failed::{Failed, USAGE};
use crate::cli::output::shell::quoted;
use crate::spelling::nearest;
use std::ffi::OsStr;
use std::path::Path;

/// The words of the command line.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Chosen {
    /// Apps of the file [default: all]. The first word is the file instead if it ends in .toml or holds a / [default: clustermon.toml]
    #[arg(value_name = "FILE|APP")]
    words: Vec<String>,
    /// Profile of the file: what [profile.NAME] says beats the rest
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

impl Chosen {
    /// The words by which another command is about the same file and profile, each behind a space.
    pub(super) fn file_again(&self) -> String {
        let file = split(&self.words).0.map(|file| format!(" {}", quoted(OsStr::new(file))));
        let profile = self.env.as_deref().map(|profile| format!(" --env {}", quoted(OsStr::new(profile))));
        file.into_iter().chain(profile).collect()
    }

    /// The file, and which of its apps were named; none if it is about all of them.
    pub(super) fn read(&self, depth: Depth) -> Result<(Apps, Vec<String>), Failed> {
        let (file, names) = split(&self.words);
        let apps = Apps::read(file.map(Path::new), self.env.as_deref(), depth)?;
        for name in names {
            let known: Vec<_> = apps.apps.iter().map(|(app, _)| app.name.as_str()).collect();
            if !known.contains(&name.as_str()) {
                let told = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("there are {}", known.join(", ")),
                };
                return Err(Failed::new(
                    USAGE,
                    format!("{}: there is no app {name:?}; {told}", apps.source.name()),
                ));
            }
        }
        Ok((apps, names.to_vec()))
    }
}

/// A name of an app holds no `/`, and one that ends as files of this kind do can be meant by the path of the file before it.
fn split(words: &[String]) -> (Option<&str>, &[String]) {
    match words.split_first() {
        Some((first, rest))
            if first.contains('/') || first.ends_with(".toml") || first == "." || first == ".." =>
        {
            (Some(first), rest)
        }
        _ => (None, words),
    }
}

/// These apps and all that they start after.
pub(super) fn with_those_before(names: &[String], apps: &[App]) -> Vec<String> {
    let mut all = names.to_vec();
    let mut at = 0;
    while at < all.len() {
        let app = apps.iter().find(|app| app.name == all[at]);
        for (before, _) in app.iter().flat_map(|app| &app.after) {
            if !all.contains(before) {
                all.push(before.clone());
            }
        }
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_may_be_the_file() {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        for (text, file, names) in [
            ("", None, ""),
            ("web api", None, "web api"),
            ("a.toml", Some("a.toml"), ""),
            ("/srv web", Some("/srv"), "web"),
            (". web", Some("."), "web"),
        ] {
            let given = words(text);
            assert_eq!(split(&given), (file, &words(names)[..]), "{text}");
        }
    }
}
