//! Where the programs are: clustermon and its thunk, the test programs, the interpreters. C programs are compiled here.

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::{Mutex, OnceLock};

/// The folder with the sources of the test programs.
pub fn app_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("apps")
}

/// target/debug or target/release: programs lie in it, test executables in its `deps`.
pub(crate) fn profile_dir() -> PathBuf {
    let own = env::current_exe().expect("/proc is mounted");
    let folder = own.parent().expect("a file lies in a folder");
    let is_test = folder.ends_with("deps");
    if is_test { folder.parent().expect("cargo puts tests into target/PROFILE/deps") } else { folder }
        .to_owned()
}

fn built(name: &str, instead: Option<OsString>) -> PathBuf {
    let path = instead.map_or_else(|| profile_dir().join(name), PathBuf::from);
    assert!(path.is_file(), "{} is missing: run cargo xtask test", path.display());
    path
}

/// The supervisor's executable; `CLUSTERMON_BIN` names another one.
pub fn clustermon() -> PathBuf {
    built("clustermon", env::var_os("CLUSTERMON_BIN"))
}

/// The library that is preloaded into workers; `CLUSTERMON_THUNK_LIB` names another one.
pub fn thunk() -> PathBuf {
    built("libclustermon_thunk.so", env::var_os("CLUSTERMON_THUNK_LIB"))
}

/// A program of apps/rust.
pub fn rust_program(name: &str) -> PathBuf {
    built(name, None)
}

/// A library of apps/c to preload.
pub fn c_library(name: &str) -> PathBuf {
    let program = c_program(name, &["-shared", "-fPIC"]);
    let library = program.with_extension("so");
    // Under a name that looks like one; a link would be resolved in messages.
    if !library.exists() {
        let unfinished = program.with_extension(process::id().to_string());
        let copied = fs::copy(&program, &unfinished).and_then(|_| fs::rename(&unfinished, &library));
        copied.expect("the target folder is writable");
    }
    library
}

/// A server that changes its user when it is started, made in this folder; `None`, and said, where that needs more rights
/// or a compiler.
pub fn setuid_program(folder: &Path) -> Option<PathBuf> {
    if !require("cc") {
        return None;
    }
    let path = folder.join("changes-user");
    fs::copy(c_program("epoll", &[]), &path).expect("the temporary directory is writable");
    if chown(&path, Some(65534), None).is_err() {
        eprintln!("skipped: only root may give a file away");
        return None;
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o4755)).expect("we have just made it");
    Some(path)
}

/// A program of apps/c, compiled at its first use in this process.
pub fn c_program(name: &str, flags: &[&str]) -> PathBuf {
    static COMPILED: OnceLock<Mutex<HashMap<String, PathBuf>>> = OnceLock::new();
    let key = format!("{name}{}", flags.concat());
    let mut compiled =
        COMPILED.get_or_init(Mutex::default).lock().expect("only a failed compilation panics here");
    if let Some(path) = compiled.get(&key) {
        return path.clone();
    }
    let folder = profile_dir().join("test-apps");
    fs::create_dir_all(&folder).expect("the target folder is writable");
    let unfinished = folder.join(format!(".{key}.{}", process::id()));
    let source = app_dir().join("c").join(format!("{name}.c"));
    let output = Command::new("cc")
        .args(["-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
        .args([&unfinished, &source])
        .args(flags)
        .output()
        .expect("require(\"cc\") was asked before");
    assert!(output.status.success(), "{}:\n{}", source.display(), String::from_utf8_lossy(&output.stderr));
    // Another test process may be running the old file: replace it, never write to it.
    let path = folder.join(&key);
    fs::rename(&unfinished, &path).expect("both are in one folder");
    compiled.insert(key, path.clone());
    path
}

/// The file behind a command, such as `python3`: version managers put a script of their own before it.
pub fn interpreter(name: &str) -> OsString {
    static PYTHON: OnceLock<OsString> = OnceLock::new();
    if name != "python3" {
        return name.into();
    }
    let ask = || {
        let output = Command::new(name).args(["-c", "import sys; print(sys.executable, end='')"]).output();
        String::from_utf8(output.expect("require(\"python3\") was asked before").stdout)
            .expect("a plain path")
            .into()
    };
    PYTHON.get_or_init(ask).clone()
}

/// Whether the command is installed. If not, says so, and fails where the environment says that all must be there
/// (`CLUSTERMON_REQUIRE_RUNTIMES=1`).
pub fn require(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if !found {
        let all = env::var("CLUSTERMON_REQUIRE_RUNTIMES").is_ok_and(|value| value == "1");
        assert!(!all, "{name} is not installed, and CLUSTERMON_REQUIRE_RUNTIMES=1");
        eprintln!("skipped: {name} is not installed");
    }
    found
}
