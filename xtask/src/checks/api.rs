//! `cargo xtask api`: compares the public interface of the library with the list in supervisor/api.txt, which is the baseline for semver:
//! what stands there may go, or be changed, only with a new incompatible version. It knows the lines alone; that a new variant of an
//! exhaustive enum breaks users, for one, only `cargo semver-checks` finds.

use crate::{Result, complain, project};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The one whose rustdoc writes the JSON that the pinned `public-api` reads. The two go up together.
const TOOLCHAIN: &str = "1.95.0";
const LIST: &str = "supervisor/api.txt";
const HEAD: &str = "# The public interface of clustermon, which `cargo xtask api` checks; as of version ";

pub(crate) fn main(args: &[String]) -> Result<ExitCode> {
    let update = match args {
        [] => false,
        [word] if word == "--update" => true,
        _ => return Err("usage: cargo xtask api [--update]".into()),
    };
    let path = project::root().join(LIST);
    let old =
        List::parse(&fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?)?;
    let new = List { version: version()?, lines: listed()? };
    let (gone, come) = new.against(&old);
    if gone.is_empty() && come.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    gone.iter().for_each(|line| complain(&format!("-{line}")));
    come.iter().for_each(|line| complain(&format!("+{line}")));
    if !gone.is_empty() && is_compatible(&old.version, &new.version) {
        return Err(format!(
            "{} lines of {LIST} are gone or changed, which breaks users of {}: keep them, or raise the version in Cargo.toml so that \
             it is incompatible, and note it in CHANGELOG.md",
            gone.len(),
            old.version
        )
        .into());
    }
    if !update {
        return Err(format!("{LIST} is not up to date: `cargo xtask api --update` writes it").into());
    }
    // What has only been added to is still held to the version before.
    let version = if gone.is_empty() { old.version } else { new.version };
    fs::write(&path, List { version, lines: new.lines }.text())?;
    Ok(ExitCode::SUCCESS)
}

/// One line for each item, as of a version.
#[derive(Debug)]
struct List {
    version: String,
    lines: BTreeSet<String>,
}

impl List {
    fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let version = lines.next().and_then(|line| line.strip_prefix(HEAD));
        let version = version.ok_or_else(|| format!("{LIST} does not begin with {HEAD:?}"))?.to_owned();
        Ok(Self { version, lines: lines.map(str::to_owned).collect() })
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| format!("{line}\n"));
        std::iter::once(format!("{HEAD}{}\n", self.version)).chain(lines).collect()
    }

    /// What is gone since `old`, and what has come.
    fn against<'a>(&'a self, old: &'a Self) -> (Vec<&'a String>, Vec<&'a String>) {
        (old.lines.difference(&self.lines).collect(), self.lines.difference(&old.lines).collect())
    }
}

/// Whether cargo takes the second for an update of the first: the first number that is not zero is the same.
fn is_compatible(old: &str, new: &str) -> bool {
    let significant = |version: &str| {
        let numbers: Vec<String> = version.split('.').map(str::to_owned).collect();
        let first = numbers.iter().position(|number| number != "0").unwrap_or(numbers.len());
        numbers.into_iter().take(first + 1).collect::<Vec<_>>()
    };
    significant(old) == significant(new)
}

/// The version that the workspace's packages have.
fn version() -> Result<String> {
    let text = fs::read_to_string(project::root().join("Cargo.toml"))?;
    let section = text.split("[workspace.package]").nth(1).unwrap_or_default();
    let line = section.lines().find_map(|line| line.strip_prefix("version = \""));
    let version = line.and_then(|line| line.strip_suffix('"'));
    Ok(version.ok_or("Cargo.toml has no version below [workspace.package]")?.to_owned())
}

/// The items of the library as it is now. What is hidden from the documentation is not among them.
fn listed() -> Result<BTreeSet<String>> {
    let json = json()?;
    let api =
        public_api::Builder::from_rustdoc_json(&json).omit_blanket_impls(true).build().map_err(|error| {
            format!(
                "{}: {error}; this needs Rust {TOOLCHAIN}: rustup toolchain install {TOOLCHAIN}",
                json.display()
            )
        })?;
    Ok(api.items().map(ToString::to_string).filter(|line| !is_noise(line)).collect())
}

/// Traits that every type has or has not by itself, and that nobody names. `Send` and `Sync` are others.
fn is_noise(line: &str) -> bool {
    [
        "core::marker::Freeze ",
        "core::marker::Unpin ",
        "core::marker::UnsafeUnpin ",
        "::UnwindSafe ",
        "::RefUnwindSafe ",
    ]
    .iter()
    .any(|name| line.contains(name))
}

/// The compiler that cargo uses is of the pinned version.
fn is_default() -> Result<bool> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&compiler).arg("--version").output();
    let output = output.map_err(|error| format!("cannot start {}: {error}", compiler.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).split(' ').nth(1) == Some(TOOLCHAIN))
}

/// Has rustdoc describe the library, in a target folder of its own: in the common one the other setting would build everything anew.
fn json() -> Result<PathBuf> {
    let target = project::target()?.join("api");
    let mut rustdoc = if is_default()? {
        project::cargo("rustdoc")
    } else {
        let mut rustup = Command::new("rustup");
        rustup
            .args(["run", TOOLCHAIN, "cargo", "rustdoc"])
            .arg("--manifest-path")
            .arg(project::root().join("Cargo.toml"));
        // Else cargo would start the compiler of the toolchain that runs us.
        for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
            rustup.env_remove(name);
        }
        rustup
    };
    rustdoc.args(["--quiet", "--package", "clustermon", "--lib", "--target-dir"]).arg(&target);
    rustdoc.args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    // The form of the output is unstable, which is why the toolchain is pinned.
    project::check(rustdoc.env("RUSTC_BOOTSTRAP", "1"))?;
    Ok(target.join("doc/clustermon.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(lines: &[&str]) -> List {
        List { version: "0.1.0".to_owned(), lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn a_list_is_read_as_it_was_written() {
        let written = list(&["pub fn a()", "pub struct B"]);
        let read = List::parse(&written.text()).unwrap();
        assert_eq!((read.version.as_str(), &read.lines), ("0.1.0", &written.lines));
        assert!(List::parse("pub fn a()\n").is_err());
    }

    #[test]
    fn what_is_changed_is_gone_and_has_come() {
        let (old, new) = (list(&["pub fn a()", "pub fn b()"]), list(&["pub fn a(u8)", "pub fn b()"]));
        let (gone, come) = new.against(&old);
        assert_eq!(gone, [&"pub fn a()".to_owned()]);
        assert_eq!(come, [&"pub fn a(u8)".to_owned()]);
    }

    #[test]
    fn the_first_number_that_is_not_zero_decides() {
        for (old, new) in [("0.1.0", "0.1.9"), ("1.2.3", "1.9.0"), ("0.0.3", "0.0.3")] {
            assert!(is_compatible(old, new), "{old} {new}");
        }
        for (old, new) in [("0.1.0", "0.2.0"), ("0.9.0", "1.0.0"), ("1.2.3", "2.0.0"), ("0.0.3", "0.0.4")] {
            assert!(!is_compatible(old, new), "{old} {new}");
        }
    }
}
