//! Where things are: the checkout, the target folder, what cargo leaves in it. It starts cargo and decides nothing.

use crate::Result;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

/// Which of cargo's two folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// The checkout's root.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let mut root = PathBuf::from(here);
    root.pop();
    root
}

/// The folder that holds `debug` and `release`. Taken from this program's own place, `TARGET/debug/xtask`, so that
/// CARGO_TARGET_DIR, a target folder from a configuration file and a target triple are followed without being known.
pub(crate) fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    target_of(&exe).ok_or_else(|| {
        format!("{} does not lie in cargo's target folder; start it by `cargo xtask`", exe.display()).into()
    })
}

fn target_of(exe: &Path) -> Option<PathBuf> {
    let profile = exe.parent()?;
    let known = profile.file_name().is_some_and(|name| name == "debug" || name == "release");
    known.then(|| profile.parent().map(Path::to_path_buf)).flatten()
}

/// The folder into which cargo builds by this profile.
pub(crate) fn folder(profile: Profile) -> Result<PathBuf> {
    Ok(target()?.join(if profile == Profile::Release { "release" } else { "debug" }))
}

/// What a build left behind, e.g. `artifact(Profile::Release, "clustermon")`; an error if it is not there.
pub(crate) fn artifact(profile: Profile, name: &str) -> Result<PathBuf> {
    let path = folder(profile)?.join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("cargo has built, but there is no {}", path.display()).into())
}

/// A cargo command on this workspace. The working folder stays the user's, so that a relative CARGO_TARGET_DIR means
/// the same to this cargo and to the one that started us.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg(subcommand).arg("--manifest-path").arg(root().join("Cargo.toml"));
    cargo
}

/// Runs it to its end; an error only if it cannot be started.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.status().map_err(|error| format!("cannot start {name}: {error}").into())
}

/// Runs it to its end; anything but success is an error that quotes the command.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line = words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    Err(format!("{status}: {line}").into())
}

/// The exit code as a shell would give it: 128 + N for a signal.
pub(crate) fn exit_code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(1));
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

/// Takes back what `cargo run` added to the environment, so that a program started by us sees what the user's shell
/// would have given it.
pub(crate) fn forget_cargo(command: &mut Command) -> Result<()> {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name == "CARGO" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(name);
        }
    }
    if let Some(paths) = std::env::var_os("LD_LIBRARY_PATH") {
        let kept = without_cargo(std::env::split_paths(&paths).collect(), &target()?);
        if kept.is_empty() {
            command.env_remove("LD_LIBRARY_PATH");
        } else {
            command.env("LD_LIBRARY_PATH", std::env::join_paths(kept)?);
        }
    }
    Ok(())
}

fn without_cargo(paths: Vec<PathBuf>, target: &Path) -> Vec<PathBuf> {
    let toolchains: Vec<PathBuf> = paths
        .iter()
        .filter_map(|path| path.ancestors().find(|above| above.ends_with("lib/rustlib"))?.parent())
        .map(Path::to_path_buf)
        .collect();
    let cargos =
        |path: &PathBuf| path.starts_with(target) || toolchains.iter().any(|lib| path.starts_with(lib));
    paths.into_iter().filter(|path| !cargos(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_follows_the_program() {
        let target = |exe: &str| target_of(Path::new(exe));
        assert_eq!(target("/a b/target/debug/xtask"), Some(PathBuf::from("/a b/target")));
        assert_eq!(
            target("/t/x86_64-unknown-linux-musl/release/xtask"),
            Some("/t/x86_64-unknown-linux-musl".into())
        );
        assert_eq!(target("/usr/bin/xtask"), None);
    }

    #[test]
    fn only_cargos_library_paths_are_forgotten() {
        let paths = ["/t/debug/deps", "/t/debug", "/tc/lib/rustlib/x86/lib", "/tc/lib", "/opt/lib"];
        let kept = without_cargo(paths.map(PathBuf::from).to_vec(), Path::new("/t"));
        assert_eq!(kept, [PathBuf::from("/opt/lib")]);
    }

    #[test]
    fn a_signal_is_128_more() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(exit_code(ExitStatus::from_raw(9)), ExitCode::from(137));
        assert_eq!(exit_code(ExitStatus::from_raw(101 << 8)), ExitCode::from(101));
    }
}
