//! pyproject.toml of Python: the server among the dependencies, or else the file that such a program often is.

use super::{Files, Found, clean, words};
use toml::de::{DeTable, DeValue};

const FROM: &str = "pyproject.toml";

/// Servers and frameworks, and what starts them. One process serves in each worker: their own workers are not needed.
const SERVERS: [(&[&str], &[&str], &str); 5] = [
    (&["uvicorn", "fastapi", "starlette"], &["-m", "uvicorn", "app:app", "--port", "8000"], MODULE),
    (&["granian"], &["-m", "granian", "--interface", "asgi", "app:app"], MODULE),
    (&["hypercorn"], &["-m", "hypercorn", "app:app"], MODULE),
    (&["gunicorn"], &["-m", "gunicorn", "--bind", "127.0.0.1:8000", "app:app"], MODULE),
    (&["flask"], &["-m", "flask", "run", "--no-reload"], "flask's own server is for development"),
];
const MODULE: &str = "app:app is a guess: write your module and the name in it";

/// The app; always one, for every project can be one.
pub(super) fn app(text: &str, files: &Files) -> Option<Found> {
    let table = DeTable::parse(text).ok()?;
    let project = table.get_ref().get("project").map(|project| project.get_ref());
    let name = project.and_then(|project| project.get("name")?.get_ref().as_str());
    let listed = project.and_then(|project| project.get("dependencies"));
    let listed = listed.map(|listed| names(listed.get_ref())).unwrap_or_default();
    let python = if files.contains_key(".venv/bin/python") { "./.venv/bin/python" } else { "python3" };
    let server =
        SERVERS.iter().find(|(names, ..)| names.iter().any(|name| listed.iter().any(|one| one == name)));
    let (arguments, remark) = match server {
        Some((_, arguments, remark)) => (arguments.iter().map(|word| (*word).to_owned()).collect(), *remark),
        None if files.contains_key("manage.py") => {
            (words(["manage.py", "runserver", "--noreload"]), "Django's own server is for development")
        }
        None => {
            let script = ["app.py", "main.py"].into_iter().find(|name| files.contains_key(name));
            (words([script.unwrap_or("app.py")]), "this is a guess: write what starts your program")
        }
    };
    let command = std::iter::once(python.to_owned()).chain(arguments).collect();
    Some(Found { name: clean(name.unwrap_or("web")), command, from: FROM, remark: remark.to_owned() })
}

/// The names alone, of `"uvicorn[standard]>=0.30; python_version > '3.8'"` and the like.
fn names(list: &DeValue<'_>) -> Vec<String> {
    let DeValue::Array(list) = list else { return Vec::new() };
    let texts = list.iter().filter_map(|one| one.get_ref().as_str());
    let end = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
    texts.map(|text| text[..end(text).unwrap_or(text.len())].to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_among_the_dependencies() {
        let found = |text: &str, others: &[&'static str]| {
            let files = others.iter().map(|name| (*name, String::new())).collect();
            app(text, &files).map(|app| format!("{}: {}", app.name, app.command.join(" ")))
        };
        let listed = |list: &str| format!("[project]\nname = \"shop\"\ndependencies = [{list}]\n");
        for (text, others, expected) in [
            (listed("\"FastAPI>=0.1\""), &[][..], "shop: python3 -m uvicorn app:app --port 8000"),
            (
                listed("\"x\", \"gunicorn[gevent] ; python_version > '3'\""),
                &[],
                "shop: python3 -m gunicorn --bind 127.0.0.1:8000 app:app",
            ),
            (listed("\"uvicorn-worker\""), &["main.py"], "shop: python3 main.py"),
            (
                listed(""),
                &["manage.py", ".venv/bin/python"],
                "shop: ./.venv/bin/python manage.py runserver --noreload",
            ),
            ("[tool.x]\n".to_owned(), &[], "web: python3 app.py"),
        ] {
            assert_eq!(found(&text, others).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(found("[", &[]), None);
    }
}
