//! What a unit has to know of this machine: where clustermon and the folders are, who owns what, where programs are looked for. It changes
//! nothing.

use crate::cli::apps::place::absolute;
use crate::cli::output::failed::{Failed, USAGE};
use crate::unit_file::Account;
use nix::unistd::{Uid, User};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where systemd looks for programs if a unit says nothing.
const OF_SYSTEMD: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A path or a word as a unit can have it.
pub(super) fn text(path: &Path) -> Result<String, Failed> {
    let told = || Failed::new(USAGE, format!("{path:?} cannot be written in a unit: it is not UTF-8"));
    path.to_str().map(str::to_owned).ok_or_else(told)
}

/// This program by the path at which an upgrade will put the next one: as it was called, not where a link leads.
pub(super) fn program() -> Result<PathBuf, Failed> {
    let failed = |error: io::Error| Failed::new(1, format!("cannot tell where clustermon is: {error}"));
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).map_err(failed)?;
    let called = std::env::args_os().next().unwrap_or_default();
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(called_as(&called, &path, &own)?.unwrap_or(own))
}

fn called_as(called: &OsStr, path: &OsStr, own: &Path) -> Result<Option<PathBuf>, Failed> {
    let is_own = |path: &PathBuf| path.canonicalize().is_ok_and(|path| path == own);
    if Path::new(called).components().count() > 1 {
        return Ok(Some(absolute(Path::new(called))?).filter(is_own));
    }
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    Ok(folders.map(|folder| folder.join(called)).find(is_own))
}

/// The PATH of the unit: where programs are found now, if systemd would not look there.
pub(super) fn search_path() -> Option<String> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute() && folder.is_dir());
    searched(folders.filter_map(|folder| folder.to_str().map(str::to_owned)))
}

fn searched(folders: impl Iterator<Item = String>) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    for folder in folders {
        if !all.contains(&folder) {
            all.push(folder);
        }
    }
    if all.iter().all(|folder| OF_SYSTEMD.contains(&folder.as_str())) {
        return None;
    }
    let more = OF_SYSTEMD.iter().filter(|folder| !all.iter().any(|other| other == *folder));
    let more: Vec<_> = more.map(|folder| (*folder).to_owned()).collect();
    all.extend(more);
    Some(all.join(":"))
}

/// A user, and the home; one that has no name goes by the number.
pub(super) fn account(uid: Uid) -> (Account, String) {
    let user = User::from_uid(uid).ok().flatten();
    let home = user.as_ref().map(|user| user.dir.to_string_lossy().into_owned()).unwrap_or_default();
    let is_plain = |name: &String| {
        name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-.".contains(letter))
    };
    let name = user.map(|user| user.name).filter(is_plain).unwrap_or_else(|| uid.to_string());
    (Account { name, uid: uid.as_raw() }, home)
}

/// The version of systemd on this machine; `None` where there is none that says so.
#[expect(clippy::disallowed_methods, reason = "it is no worker: systemd is asked for its version")]
pub(super) fn systemd_version() -> Option<u32> {
    let output = Command::new("systemctl").arg("--version").stdin(Stdio::null()).output().ok()?;
    version_in(&String::from_utf8_lossy(&output.stdout))
}

fn version_in(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("systemd ")?;
    digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse().ok()
}

/// Whether the process belongs to that unit.
pub(super) fn is_of_unit(pid: u32, unit: &str) -> bool {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let name = format!("{unit}.service");
    groups.lines().any(|line| line.split('/').any(|part| part == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    #[test]
    fn a_link_to_the_program_stays() {
        let scratch = Scratch::new();
        let own = scratch.file("clustermon-1.2/clustermon", "", 0o755).canonicalize().unwrap();
        let bin = scratch.dir("bin", 0o755);
        let link = bin.join("clustermon");
        std::os::unix::fs::symlink(&own, &link).unwrap();
        let found = |called: &OsStr, path: &OsStr| called_as(called, path, &own).unwrap();
        let name = OsStr::new("clustermon");
        assert_eq!(found(name, bin.as_os_str()), Some(link.clone()));
        assert_eq!(found(link.as_os_str(), OsStr::new("")), Some(link));
        // Another program of that name is not this one.
        let other = scratch.file("other/clustermon", "", 0o755);
        assert_eq!(found(name, other.parent().unwrap().as_os_str()), None);
        assert_eq!(found(other.as_os_str(), OsStr::new("")), None);
    }

    #[test]
    fn programs_are_looked_for_where_they_are_found_now() {
        let told = |folders: &[&str]| searched(folders.iter().map(|folder| (*folder).to_owned()));
        assert_eq!(told(&["/usr/bin", "/bin", "/usr/bin"]), None);
        assert_eq!(
            told(&["/opt/node/bin", "/usr/bin", "/opt/node/bin"]).unwrap(),
            "/opt/node/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin"
        );
    }

    #[test]
    fn systemd_says_its_version() {
        for (text, version) in [
            ("systemd 252 (252.38-1~deb12u1)\n+PAM", Some(252)),
            ("systemd 257\n", Some(257)),
            ("systemd 256~rc3 (x)", Some(256)),
            ("OpenRC 1", None),
            ("", None),
        ] {
            assert_eq!(version_in(text), version, "{text}");
        }
    }

    #[test]
    fn who_owns_it() {
        let (root, home) = account(Uid::from_raw(0));
        assert_eq!((root, home.as_str()), (Account { name: "root".into(), uid: 0 }, "/root"));
        let (nobody, home) = account(Uid::from_raw(4_000_123));
        assert_eq!((nobody.name.as_str(), home.as_str()), ("4000123", ""));
        assert!(!is_of_unit(std::process::id(), "clustermon-nothing-at-all"));
    }
}
