//! Makes ready what a program of the matrix is started with: is it installed, what is compiled for it, which variables
//! its command line uses. What is missing is the task of `cargo xtask matrix`, not ours.

use super::table::{Made, Need, Row};
use crate::programs::options::Options;
use crate::programs::places::{app_dir, c_program, interpreter, profile_dir, rust_program};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::Mutex;

/// Where `cargo xtask matrix` puts what it installs, below the target folder.
fn matrix_dir() -> PathBuf {
    profile_dir().parent().expect("target/PROFILE").join("matrix")
}

/// What C programs and Java classes are compiled into.
fn built_dir() -> PathBuf {
    profile_dir().join("test-apps")
}

/// The variables that command lines of the table use. Packages of the system that bring servers put some where only the
/// administrator looks.
fn variables() -> Vec<(&'static str, OsString)> {
    let apps = app_dir();
    let python = apps.join("python").into_os_string();
    let mut path = env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin");
    let venv = matrix_dir().join("venv/bin").into_os_string();
    // Two of them share two processors with other tests.
    let jvm = format!(
        "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx64m -Xshare:auto -cp {}",
        built_dir().join("java").display()
    );
    vec![
        ("APPS", apps.into_os_string()),
        ("BUILT", built_dir().into_os_string()),
        ("MATRIX", matrix_dir().into_os_string()),
        ("RUST", profile_dir().into_os_string()),
        ("VENV", venv),
        ("PYTHON", interpreter("python3")),
        ("PYTHONPATH", python),
        ("JVM", jvm.into()),
        ("PATH", path),
    ]
}

/// With the variables of the table.
pub(super) fn with_variables(options: Options) -> Options {
    variables().into_iter().fold(options, |options, (name, value)| options.env(name, value))
}

/// A shell that becomes the program.
pub(super) fn command(row: &Row) -> [OsString; 3] {
    ["sh".into(), "-c".into(), row.command.into()]
}

/// What a shell says to this, on stdout or stderr, if it succeeds.
fn shell(command: &str) -> Option<String> {
    let output = Command::new("sh").args(["-c", command]).envs(variables()).output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    output.status.success().then(|| String::from_utf8_lossy(&said).into_owned())
}

/// Runs the row's command in this directory, to its end.
pub(super) fn prepare(row: &Row, folder: &Path) {
    let output = Command::new("sh")
        .args(["-c", row.command])
        .envs(variables())
        .current_dir(folder)
        .output()
        .expect("there is a shell");
    assert!(output.status.success(), "{}: {}", row.command, String::from_utf8_lossy(&output.stderr));
}

/// The first line that tells the version.
pub(super) fn version(row: &Row) -> String {
    let said = shell(row.version).unwrap_or_else(|| panic!("{}: no version: {}", row.name, row.version));
    let line = said.lines().map(str::trim).find(|line| line.contains(|letter: char| letter.is_ascii_digit()));
    line.unwrap_or_default().replace('|', "/").replace('\t', " ")
}

/// The first need that is not met.
pub(super) fn missing(row: &Row) -> Option<String> {
    row.needs.iter().find_map(|need| match need {
        Need::System { check, packages } => {
            shell(check).is_none().then(|| format!("the packages {}", packages.join(", ")))
        }
        Need::Pip(packages) => {
            let code = format!("import importlib.metadata as m; [m.version(n) for n in {packages:?}]");
            let python = matrix_dir().join("venv/bin/python");
            let found = Command::new(python).args(["-c", &code]).output();
            let there = found.is_ok_and(|output| output.status.success());
            (!there).then(|| format!("from PyPI {}", packages.join(", ")))
        }
        Need::Cargo(name) => {
            let program = matrix_dir().join(name).join("release").join(format!("app-{name}"));
            (!program.is_file()).then(|| program.display().to_string())
        }
    })
}

/// Compiles what is to be compiled.
pub(super) fn make(row: &Row) {
    match row.made {
        Made::Nothing => {}
        Made::Rust => drop(rust_program("app-std")),
        Made::C(name) => drop(c_program(name, &[])),
        Made::Static(name) => drop(c_program(name, &["-static"])),
        Made::Go { output, compiler, cgo } => compile(&built_dir().join(output), |place| {
            let source = app_dir().join("go/server.go");
            let mut build = Command::new("sh");
            build.args(["-c", &format!("exec {compiler} build -o \"$0\" \"$1\"")]).args([place, &source]);
            build.envs(variables()).env("CGO_ENABLED", if cgo { "1" } else { "0" });
            build.env("GOCACHE", matrix_dir().join("go")).env("GOFLAGS", "-trimpath");
            build
        }),
        Made::Musl(name) => {
            let source = app_dir().join("c").join(format!("{name}.c"));
            compile(&built_dir().join(format!("musl-{name}")), |output| {
                let mut compiler = Command::new("musl-gcc");
                compiler
                    .args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
                    .args([output, &source]);
                compiler
            });
        }
        Made::Java => compile(&built_dir().join("java"), |output| {
            let files = fs::read_dir(app_dir().join("java")).expect("it is in the repository");
            let mut compiler = Command::new("javac");
            compiler.arg("-d").arg(output).args(files.flatten().map(|entry| entry.path()));
            compiler
        }),
    }
}

/// Puts what the compiler makes of it there, once in this process. Another test process may use what is there already:
/// that stays as it is until the new one takes its name.
fn compile(place: &Path, compiler: impl Fn(&Path) -> Command) {
    static DONE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
    let mut done = DONE.lock().expect("only a failed compilation panics here");
    if done.iter().any(|path| path == place) {
        return;
    }
    fs::create_dir_all(built_dir()).expect("the target folder is writable");
    let unfinished = place.with_extension(format!("{}.new", process::id()));
    let output = compiler(&unfinished).output().expect("it was found");
    assert!(output.status.success(), "{}:\n{}", place.display(), String::from_utf8_lossy(&output.stderr));
    let old = place.with_extension(format!("{}.old", process::id()));
    if place.is_dir() {
        fs::rename(place, &old).expect("both are in one folder");
    }
    fs::rename(&unfinished, place).expect("both are in one folder");
    if old.is_dir() {
        fs::remove_dir_all(&old).expect("it is ours");
    }
    done.push(place.to_owned());
}
