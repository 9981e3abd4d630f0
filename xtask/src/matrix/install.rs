//! Installs what a program needs: packages of the system, packages of PyPI into a folder of our own, packages of this
//! repository that stand outside its workspace. What is there already is left alone.

use super::table::{Need, Row};
use crate::{Result, complain, project};
use std::path::Path;
use std::process::{Command, Stdio};

/// All needs of the row; what is not the system's goes below `folder`.
pub(super) fn needs(row: &Row, folder: &Path) -> Result<()> {
    for need in row.needs {
        match need {
            Need::System { check, packages } => system(check, packages)?,
            Need::Pip(packages) => pip(packages, &folder.join("venv"))?,
            Need::Cargo(name) => {
                let manifest = project::root().join("tests/apps").join(name).join("Cargo.toml");
                let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
                cargo.args(["build", "--quiet", "--locked", "--release", "--manifest-path"]).arg(manifest);
                cargo.arg("--target-dir").arg(folder.join(name));
                project::check(&mut cargo)?;
            }
        }
    }
    Ok(())
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn is_there(check: &str) -> bool {
    let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    succeeds(Command::new("sh").args(["-c", check]).env("PATH", path))
}

fn system(check: &str, packages: &[&str]) -> Result<()> {
    if is_there(check) {
        return Ok(());
    }
    complain(&format!("installing {}", packages.join(", ")));
    apt(&["update"])?;
    apt(&[&["--no-install-recommends", "install"], packages].concat())?;
    if is_there(check) { Ok(()) } else { Err(format!("installed, but `{check}` still fails").into()) }
}

fn apt(args: &[&str]) -> Result<()> {
    // SAFETY: geteuid() only returns a number.
    let root = unsafe { libc::geteuid() } == 0;
    let mut apt = Command::new(if root { "apt-get" } else { "sudo" });
    if !root {
        apt.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    apt.args(["-qq", "-y"]).args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
    project::check(&mut apt)
}

fn pip(packages: &[&str], venv: &Path) -> Result<()> {
    let python = venv.join("bin/python");
    if !python.is_file() {
        complain("making a virtual environment");
        // Of the interpreter itself, not of a version manager's script before it.
        if !is_there("python3 -c 'import venv, ensurepip'") {
            system("python3 -c 'import venv, ensurepip'", &["python3-venv"])?;
        }
        project::check(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    }
    let code = format!("import importlib.metadata as m; [m.version(n) for n in {packages:?}]");
    if succeeds(Command::new(&python).args(["-c", &code])) {
        return Ok(());
    }
    complain(&format!("installing {} from PyPI", packages.join(", ")));
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"]).args(packages);
    project::check(&mut pip)
}
