//! The file that `clustermon init` writes: the apps that were found, and beside them as comments what people want next.

use super::discovery::Found;
use std::fmt::Write as _;

const HEAD: &str = "\
# The apps that clustermon runs here.
#
#   clustermon check     says what would run, or everything that is wrong
#   clustermon up        runs them here; with -d in the background, where `clustermon down` stops them
#
# A key is an option of `clustermon run` by its long name. `clustermon schema > clustermon.schema.json`
# and a first line `#:schema ./clustermon.schema.json` have editors complete the keys.

[defaults]                       # for every app that says nothing else
# restart-delay = \"100ms\"        # after an early death, doubling with each further one
# memory-limit = \"500M\"          # a worker that holds more is replaced
# log = \"clustermon.log\"         # where output goes with `up -d`
";

const TAIL: &str = "\
# With --env dev these take the place of what is above:
# [profile.dev.defaults]
# workers = 1
";

/// The text of the file. Where nothing was found it holds a command that is to be replaced.
pub(crate) fn example(found: &[Found]) -> String {
    let unknown = [Found {
        name: "web".to_owned(),
        command: vec!["./server".to_owned()],
        from: "",
        remark: "nothing here says what to run: write your command".to_owned(),
    }];
    let found = if found.is_empty() { &unknown } else { found };
    let mut text = HEAD.to_owned();
    for (at, app) in found.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "\n[app.{}]", key(&app.name));
        if !app.remark.is_empty() {
            let _ = writeln!(text, "# {}", one_line(&app.remark));
        }
        let from = if app.from.is_empty() { String::new() } else { format!(" # from {}", app.from) };
        let words: Vec<_> = app.command.iter().map(|word| quoted(word)).collect();
        let _ = writeln!(text, "command = [{}]{from}", words.join(", "));
        if at == 0 {
            text.push_str(COMMENTS);
        } else {
            text.push_str("# workers = 2\n");
        }
    }
    text.push('\n');
    text.push_str(TAIL);
    text
}

const COMMENTS: &str = "\
# workers = 2                    # else one for each CPU
# cwd = \"web\"                    # else the folder of this file
# env = { NODE_ENV = \"production\" }
# env-file = \".env\"              # NAME=value a line
# ready = \"http:/health\"         # else a worker is ready when it listens
# max-lifetime = \"12h\"           # a worker that is older is replaced
# after = [\"db\"]                 # starts once that app is ready
";

/// A text in quotes, as TOML writes it: as JSON does, but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007F")
}

/// A name as a key: bare where it can be.
fn key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { quoted(name) }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Options, Wanted, read};
    use super::*;
    use std::path::Path;

    /// Reads what was written; with every option that stands in a comment, too.
    fn apps(text: &str) -> Vec<(String, Vec<String>)> {
        let options = Options::of(crate::cli::run_command());
        let wanted = Wanted { options: &options, folder: Path::new(""), profile: None };
        let (file, faults) = read(text, wanted);
        assert_eq!(faults, [], "{text}");
        file.apps.into_iter().map(|app| (app.name, app.command)).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let found = |name: &str, words: &[&str]| Found {
            name: name.to_owned(),
            command: words.iter().map(|word| (*word).to_owned()).collect(),
            from: "Procfile",
            remark: "two\nlines".to_owned(),
        };
        let all =
            [found("web", &["node", "a \"b\" \\ \u{7f}é\n"]), found("a.b", &["sh", "-c", "exec x $PORT"])];
        let read = apps(&example(&all));
        assert_eq!(read, all.map(|app| (app.name, app.command)));
        assert_eq!(apps(&example(&[])), [("web".to_owned(), vec!["./server".to_owned()])]);
    }

    #[test]
    fn what_stands_in_comments_is_right() {
        let text = example(&[]).replace("# after", "# no");
        let is_option = |line: &str| {
            line.split(" = ").next().is_some_and(|key| !key.contains(' ')) || line.starts_with('[')
        };
        let lines = text.lines().map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_option(rest) && rest.contains(['=', '[']) => rest,
            _ => line,
        });
        let text = lines.collect::<Vec<_>>().join("\n").replace("no = ", "# no = ");
        assert!(text.contains("\nmax-lifetime = ") && text.contains("\nlog = "), "{text}");
        apps(&text);
    }
}
