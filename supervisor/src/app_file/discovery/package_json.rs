//! package.json of Node: its `start` script, or its `main` file.

use super::{Found, clean};
use crate::app_file::document::command_line;
use serde_json::Value;

const FROM: &str = "package.json";

/// The app, if the package is one that can be started.
pub(super) fn app(text: &str) -> Option<Found> {
    let package: Value = serde_json::from_str(text).ok()?;
    let start = package["scripts"]["start"].as_str().filter(|start| !start.trim().is_empty());
    let direct = start.and_then(|start| command_line::cut(start).ok());
    let direct = direct.filter(|words| words.first().is_some_and(|program| program == "node"));
    let (command, remark) = match (start, direct, package["main"].as_str()) {
        // Without npm in between there is one process less for each worker.
        (_, Some(words), _) => (words, String::new()),
        (Some(start), None, _) => {
            (vec![manager(&package), "start".to_owned()], format!("its start script is: {start}"))
        }
        (None, None, Some(main)) => (vec!["node".to_owned(), main.to_owned()], String::new()),
        (None, None, None) => return None,
    };
    let script = command.iter().rev().find(|word| word.ends_with("js") && command[0] == "node");
    let stem = script.and_then(|script| script.rsplit('/').next()?.split('.').next());
    let name = package["name"].as_str().or(stem).unwrap_or("web");
    Some(Found { name: clean(name), command, from: FROM, remark })
}

/// `npm`, or what the package says: `pnpm@9.1.0`.
fn manager(package: &Value) -> String {
    let said = package["packageManager"].as_str().and_then(|said| said.split('@').next());
    said.filter(|name| matches!(*name, "npm" | "pnpm" | "yarn" | "bun")).unwrap_or("npm").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_script_or_the_main_file() {
        for (text, expected) in [
            (
                r#"{"name":"@acme/shop","scripts":{"start":"node src/server.js --port 80"}}"#,
                Some(("acme-shop", "node src/server.js --port 80")),
            ),
            (r#"{"name":"a","scripts":{"start":"next start"}}"#, Some(("a", "npm start"))),
            (
                r#"{"scripts":{"start":"tsc && node dist/x.js"},"packageManager":"pnpm@9.1.0"}"#,
                Some(("web", "pnpm start")),
            ),
            (r#"{"main":"lib/server.mjs"}"#, Some(("server", "node lib/server.mjs"))),
            (r#"{"name":"only-a-library"}"#, None),
            ("[1]", None),
            ("{", None),
        ] {
            let found = app(text).map(|app| (app.name, app.command.join(" ")));
            assert_eq!(
                found,
                expected.map(|(name, command)| (name.to_owned(), command.to_owned())),
                "{text}"
            );
        }
    }
}
