//! Which apps a folder holds, by the files that other tools read there: Procfile, package.json, pyproject.toml, Gemfile. It is given their
//! text and reads nothing itself. What it does not know it leaves to the person, and says so.

mod gemfile;
mod package_json;
mod procfile;
mod pyproject;

use std::collections::{BTreeMap, HashSet};

/// The files that are of interest; of some it is enough that they are there.
pub(crate) const FILES: [&str; 9] = [
    "Procfile",
    "package.json",
    "pyproject.toml",
    "Gemfile",
    "config.ru",
    "manage.py",
    "app.py",
    "main.py",
    ".venv/bin/python",
];

/// Files of a folder that are there: name and text, which may be empty.
pub(crate) type Files = BTreeMap<&'static str, String>;

/// An app that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
    /// The file that says so.
    pub(crate) from: &'static str,
    /// What is to be looked at by the person; may be empty.
    pub(crate) remark: String,
}

/// Everything that is found. A Procfile says all there is to run.
pub(crate) fn discover(files: &Files) -> Vec<Found> {
    let text = |name: &str| files.get(name).map(String::as_str);
    let mut found = text("Procfile").map(procfile::apps).unwrap_or_default();
    if found.is_empty() {
        found.extend(text("package.json").and_then(package_json::app));
        found.extend(text("pyproject.toml").and_then(|text| pyproject::app(text, files)));
        found.extend(text("Gemfile").and_then(|text| gemfile::app(text, files.contains_key("config.ru"))));
    }
    let mut names = HashSet::new();
    for app in &mut found {
        let mut number = 1;
        let name = app.name.clone();
        while !names.insert(app.name.clone()) {
            number += 1;
            app.name = format!("{name}-{number}");
        }
    }
    found
}

/// A name that a cluster can have.
fn clean(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .take(60)
        .collect();
    let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if plain.is_empty() { "web".to_owned() } else { plain.to_owned() }
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&'static str, &str)]) -> Vec<(String, String)> {
        let files = files.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
        discover(&files).into_iter().map(|app| (app.name, app.command.join(" "))).collect()
    }

    fn pair(name: &str, command: &str) -> (String, String) {
        (name.to_owned(), command.to_owned())
    }

    #[test]
    fn a_procfile_says_all_there_is() {
        let package = ("package.json", r#"{ "scripts": { "start": "node x.js" } }"#);
        assert_eq!(found(&[("Procfile", "web: node a.js\n"), package]), [pair("web", "node a.js")]);
        assert_eq!(found(&[("Procfile", "# nothing\n"), package]), [pair("x", "node x.js")]);
    }

    #[test]
    fn others_stand_beside_each_other_under_different_names() {
        let files = [
            ("package.json", r#"{ "name": "shop", "main": "server.js" }"#),
            ("pyproject.toml", "[project]\nname = \"shop\"\ndependencies = [\"uvicorn\"]\n"),
            ("Gemfile", "gem 'puma'\n"),
        ];
        assert_eq!(
            found(&files),
            [
                pair("shop", "node server.js"),
                pair("shop-2", "python3 -m uvicorn app:app --port 8000"),
                pair("web", "bundle exec puma")
            ]
        );
        assert_eq!(
            found(&[("package.json", "{"), ("pyproject.toml", "="), ("Gemfile", "")]),
            [pair("web", "bundle exec ruby app.rb")]
        );
    }

    #[test]
    fn names_are_those_of_clusters() {
        assert_eq!(clean("@acme/web shop"), "acme-web-shop");
        assert_eq!(clean("é"), "web");
    }
}
