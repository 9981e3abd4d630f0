//! What is installed for the time of one process: gunicorn into an environment of its own, PM2 into a folder. Nothing
//! outside the temporary directory is touched.

use crate::programs::places::{interpreter, require};
use crate::system::temp::TempDir;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The interpreter of an environment that has gunicorn; `None`, with the reason on stderr, if it cannot be had.
pub(super) fn gunicorn() -> Option<PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        if !require("python3") {
            return None;
        }
        let folder = folder("gunicorn");
        let python = folder.join("bin/python");
        let made = run(Command::new(interpreter("python3")).args(["-m", "venv"]).arg(&folder));
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "gunicorn"];
        let installed = made.and_then(|()| run(Command::new(&python).args(pip)));
        absent("gunicorn", installed).then_some(python)
    };
    PYTHON.get_or_init(install).clone()
}

/// The program `pm2` in a folder of its own.
pub(super) fn pm2() -> Option<PathBuf> {
    static PM2: OnceLock<Option<PathBuf>> = OnceLock::new();
    let install = || {
        if !require("npm") {
            return None;
        }
        let folder = folder("pm2");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("package.json"), "{\"private\":true}\n"))
            .expect("the temporary directory is writable");
        let words = ["install", "--no-audit", "--no-fund", "--loglevel=error", "pm2@latest"];
        let installed = run(Command::new("npm").args(words).current_dir(&folder));
        absent("PM2", installed).then(|| folder.join("node_modules/.bin/pm2"))
    };
    PM2.get_or_init(install).clone()
}

/// The version that a command prints, its last word.
pub(super) fn version(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.split_whitespace().last().unwrap_or("unknown").trim_matches(['(', ')']).to_owned()
}

/// Lives as long as this process does; the folder is the caller's parent's to remove (see `no-loss`).
fn folder(name: &str) -> PathBuf {
    static ROOT: OnceLock<TempDir> = OnceLock::new();
    ROOT.get_or_init(TempDir::new).path().join(name)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<_> = said.lines().rev().take(3).collect();
    Err(format!("{}: {}", output.status, last.into_iter().rev().collect::<Vec<_>>().join(" ")))
}

/// Says so, and fails where the environment says that all must be there.
fn absent(what: &str, installed: Result<(), String>) -> bool {
    let Err(error) = installed else { return true };
    let all = std::env::var("CLUSTERMON_REQUIRE_RUNTIMES").is_ok_and(|value| value == "1");
    assert!(!all, "{what} cannot be installed, and CLUSTERMON_REQUIRE_RUNTIMES=1: {error}");
    eprintln!("skipped: {what} cannot be installed: {error}");
    false
}
