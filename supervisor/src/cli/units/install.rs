//! Puts a unit where systemd looks for it: whole or not at all, and never over a file that is not clustermon's. What is to be done then it
//! says and does not do.

use crate::cli::output::failed::{Failed, USAGE};
use crate::unit_file::is_ours;
use nix::unistd::Uid;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    New,
    Changed,
    /// It is there, and says the same.
    Same,
}

/// Where units are that people put there.
pub(super) fn folder(user: bool) -> Result<PathBuf, Failed> {
    if !user {
        if !Uid::effective().is_root() {
            let told = "only root installs a unit of the system: run this by sudo, or give --user";
            return Err(Failed::new(1, told));
        }
        return Ok("/etc/systemd/system".into());
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let config = config.ok_or_else(|| Failed::new(1, "HOME is not set: where are your units?"))?;
    Ok(config.join("systemd/user"))
}

/// Writes it into the folder.
pub(super) fn write(folder: &Path, name: &str, text: &str) -> Result<Written, Failed> {
    let path = folder.join(format!("{name}.service"));
    let failed = |error: io::Error| Failed::new(1, format!("{}: {error}", path.display()));
    let written = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => Written::New,
        Err(error) => return Err(failed(error)),
        Ok(there) => {
            let refused =
                |why: String| Failed::new(USAGE, format!("{} is left as it is: {why}", path.display()));
            if !there.is_file() {
                return Err(refused("it is no regular file".to_owned()));
            }
            let there = fs::read(&path).map_err(failed)?;
            let there = String::from_utf8_lossy(&there);
            is_ours(&there, text).map_err(refused)?;
            if there == text {
                return Ok(Written::Same);
            }
            Written::Changed
        }
    };
    fs::create_dir_all(folder).map_err(failed)?;
    // systemd takes no file of this name for a unit.
    let new = folder.join(format!(".{name}.{}", std::process::id()));
    let placed = put(&new, text).and_then(|()| fs::rename(&new, &path));
    placed.map_err(|error| {
        // There is nothing to remove if it could not be made.
        let _ = fs::remove_file(&new);
        failed(error)
    })?;
    Ok(written)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o644).open(path)?;
    // Whatever the umask is: it holds no secrets, and others want to read it.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// What is to be done next. `first` are clusters that run by hand, and how they are stopped.
pub(super) fn next_steps(
    folder: &Path,
    name: &str,
    written: Written,
    user: bool,
    first: Option<(String, String)>,
) -> String {
    let path = folder.join(format!("{name}.service"));
    let manager = if user { "systemctl --user" } else { "systemctl" };
    let mut text = match written {
        Written::New => format!("clustermon: wrote {}\n", path.display()),
        Written::Changed => format!("clustermon: wrote {} anew\n", path.display()),
        Written::Same => format!("clustermon: {} says the same already\n", path.display()),
    };
    if let Some((names, stop)) = first {
        text.push_str(&format!(
            "These run already, outside of the unit, and are to be stopped first: {names}\n  {stop}\n"
        ));
    }
    text.push_str("To start it now and at each boot:\n");
    text.push_str(&format!("  {manager} daemon-reload\n  {manager} enable --now {name}\n"));
    if user {
        text.push_str("To start it at the boot and not at your login, and have it stay when you leave:\n  loginctl enable-linger\n");
    }
    if written == Written::Changed {
        text.push_str(&format!("Where it runs already it has changed after:\n  {manager} restart {name}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    const TEXT: &str = "# Written by `clustermon unit` for /srv/a\n[Unit]\n";

    #[test]
    fn whole_and_never_over_what_is_not_ours() {
        let scratch = Scratch::new();
        let folder = scratch.path().join("systemd/user");
        let path = folder.join("c.service");
        let say = |text: &str| write(&folder, "c", text);
        assert_eq!(say(TEXT), Ok(Written::New));
        assert_eq!(say(TEXT), Ok(Written::Same));
        let more = format!("{TEXT}#\n");
        assert_eq!(say(&more), Ok(Written::Changed));
        assert_eq!(fs::read_to_string(&path).unwrap(), more);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        // Nothing else was left there.
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);

        let other = "# Written by `clustermon unit` for /srv/b\n";
        assert!(say(other).unwrap_err().message.unwrap().contains("it is the unit for /srv/a"));
        fs::write(&path, "[Unit]\n").unwrap();
        let told = say(TEXT).unwrap_err();
        assert!(told.code == 2 && told.message.unwrap().contains("was not written by clustermon"));
        fs::remove_file(&path).unwrap();
        // As `systemctl mask` has it.
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(say(TEXT).unwrap_err().message.unwrap().contains("no regular file"));
        assert!(path.symlink_metadata().unwrap().is_symlink());
    }

    #[test]
    fn what_is_to_be_done_next() {
        let folder = Path::new("/etc/systemd/system");
        let told = next_steps(folder, "clustermon-a", Written::New, false, None);
        let expected = "clustermon: wrote /etc/systemd/system/clustermon-a.service\nTo start it now and at each boot:\n  \
                        systemctl daemon-reload\n  systemctl enable --now clustermon-a\n";
        assert_eq!(told, expected);
        let first = Some(("a".to_owned(), "clustermon stop a".to_owned()));
        let told = next_steps(folder, "clustermon-a", Written::Changed, true, first);
        for part in
            ["to be stopped first: a\n  clustermon stop a\n", "enable-linger", "systemctl --user restart"]
        {
            assert!(told.contains(part), "{told}");
        }
    }
}
