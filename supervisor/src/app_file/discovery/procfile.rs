//! A Procfile: a line for each kind of process, `web: COMMAND`, which other tools give to a shell.

use super::Found;
use crate::app_file::document::command_line;

const FROM: &str = "Procfile";

/// The processes that go on running; not `release`, which is done once for each deployment.
pub(super) fn apps(text: &str) -> Vec<Found> {
    let lines = text.lines().filter_map(|line| {
        let (name, command) = line.split_once(':')?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let (name, command) = (name.trim(), command.trim());
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        (begins && name.chars().all(is_name) && !command.is_empty() && name != "release")
            .then_some((name, command))
    });
    lines.map(|(name, command)| app(name, command)).collect()
}

fn app(name: &str, command: &str) -> Found {
    let (command, remark) = match command_line::cut(command) {
        Ok(words) => (words, ""),
        Err(_) => {
            // The shell gives its place to the program, unless it has more to do.
            let is_simple = !command.contains(['&', '|', ';', '\n']) && !command.contains('=');
            let line = if is_simple { format!("exec {command}") } else { command.to_owned() };
            (
                vec!["sh".to_owned(), "-c".to_owned(), line],
                "only a shell can run this line; what it reads, such as $PORT, is set by env",
            )
        }
    };
    Found { name: super::clean(name), command, from: FROM, remark: remark.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_app() {
        let text = "# comment\nweb: bundle exec puma -p $PORT\nworker: node worker.js 'a b'\nrelease: ./migrate\nodd: a && b\nset: A=1 b\n-x: y\nempty:\n";
        let found: Vec<_> = apps(text).into_iter().map(|app| (app.name, app.command)).collect();
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found,
            [
                ("web".to_owned(), words(&["sh", "-c", "exec bundle exec puma -p $PORT"])),
                ("worker".to_owned(), words(&["node", "worker.js", "a b"])),
                ("odd".to_owned(), words(&["sh", "-c", "a && b"])),
                ("set".to_owned(), words(&["sh", "-c", "A=1 b"])),
            ]
        );
    }
}
