//! The name of a cluster: what is allowed in one, and what one is called that was given none.

use std::ffi::OsString;
use std::path::Path;

/// Used where the command offers nothing better.
const FALLBACK: &str = "cluster";
const LONGEST: usize = 64;

/// Programs whose first plain argument says more than their own name does.
const INTERPRETERS: [&str; 14] = [
    "node", "nodejs", "deno", "bun", "tsx", "ts-node", "python", "pypy", "ruby", "perl", "php", "sh", "bash",
    "dash",
];

/// Their options that take the next argument, which is then not the script.
const WITH_VALUE: [&str; 8] = ["-r", "--require", "--import", "--loader", "-W", "-X", "-I", "-d"];

/// Whether this may name a cluster: it becomes part of file names and of every log line.
pub(super) fn is_valid(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(is_allowed)
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// The stem of the script, or of the program where no script is named.
pub(super) fn default_for(command: &[OsString]) -> String {
    let mut args: Vec<String> = command.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    if args.first().is_some_and(|program| stem(program) == "env") {
        let skipped = args.iter().skip(1).take_while(|arg| arg.contains('=') || arg.starts_with('-')).count();
        if args.len() > 1 + skipped {
            args.drain(..=skipped);
        }
    }
    let Some((program, rest)) = args.split_first() else { return FALLBACK.to_owned() };
    let program = stem(program);
    let bare = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let script = if INTERPRETERS.contains(&bare) { script(rest) } else { None };
    clean(&script.unwrap_or(program))
}

/// What the interpreter is told to run, by name; none if it is given code or nothing.
fn script(args: &[String]) -> Option<String> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-m" => return args.next().cloned(),
            "-c" | "-e" | "--eval" | "-p" => return None,
            "run" => {}
            option if WITH_VALUE.contains(&option) => drop(args.next()),
            option if option.starts_with('-') => {}
            path => return Some(stem(path)),
        }
    }
    None
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn clean(name: &str) -> String {
    let name: String = name.chars().map(|c| if is_allowed(c) { c } else { '-' }).take(LONGEST).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { FALLBACK.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{default_for, is_valid};

    #[test]
    fn names_from_commands() {
        for (command, name) in [
            (&["node", "server.js"][..], "server"),
            (&["/usr/bin/node", "--inspect", "-r", "./hook.js", "app/web.mjs", "--port", "1"], "web"),
            (&["python3.11", "-m", "http.server"], "http.server"),
            (&["python3", "-u", "serve.py"], "serve"),
            (&["deno", "run", "main.ts"], "main"),
            (&["sh", "-c", "exec node server.js"], "sh"),
            (&["env", "PORT=1", "node", "server.js"], "server"),
            (&["env"], "env"),
            (&["npm", "start"], "npm"),
            (&["./target/release/my-server"], "my-server"),
            (&["./my server"], "my-server"),
            (&["node"], "node"),
            (&["node", "ünïcode.js"], "n-code"),
            (&["../.hidden"], "hidden"),
            (&["/"], "cluster"),
            (&["node", "..."], "cluster"),
        ] {
            let command: Vec<_> = command.iter().map(Into::into).collect();
            let found = default_for(&command);
            assert_eq!(found, name, "{command:?}");
            assert!(is_valid(&found), "{found}");
        }
    }

    #[test]
    fn odd_names() {
        assert!(is_valid("web-1.prod_a"));
        for name in ["", "a/b", "a b", ".hidden", "-x", "a\nb", "é", &"x".repeat(65)] {
            assert!(!is_valid(name), "{name:?}");
        }
    }
}
