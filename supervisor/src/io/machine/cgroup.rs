//! The control groups that a process is in: where they can be read, from its own up to the top. Sets nothing.

use std::fs;
use std::path::{Component, Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::io) enum Version {
    One,
    Two,
}

/// Where this process sees the control groups that have a controller. Read once and used for several processes; whoever keeps
/// it does not see what is mounted later.
pub(in crate::io) struct Mounts<'a> {
    controller: &'a str,
    root: &'a Path,
    mounts: Vec<Mount>,
}

impl<'a> Mounts<'a> {
    /// Every path is taken below `root`.
    pub(in crate::io) fn read(controller: &'a str, root: &'a Path) -> Self {
        let text = fs::read_to_string(root.join("proc/self/mountinfo")).unwrap_or_default();
        let mounts = text.lines().filter_map(|line| Mount::parse(line, controller)).collect();
        Self { controller, root, mounts }
    }

    /// The directory of that process's own group in each version, where it can be seen from here.
    pub(in crate::io) fn of_process(&self, pid: u32) -> Vec<(Version, PathBuf)> {
        let found = self.chains(&pid.to_string());
        found.into_iter().filter_map(|(version, chain)| Some((version, chain.into_iter().next()?))).collect()
    }

    /// For each version the process's own group and those above it.
    fn chains(&self, process: &str) -> Vec<(Version, Vec<PathBuf>)> {
        let groups = fs::read_to_string(self.root.join(format!("proc/{process}/cgroup"))).unwrap_or_default();
        let of_line = |line: &str| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, group) = rest.split_once(':')?;
            let version = match controllers {
                "" => Version::Two,
                list if list.split(',').any(|name| name == self.controller) => Version::One,
                _ => return None,
            };
            let mount = self.mounts.iter().find(|mount| mount.version == Some(version))?;
            Some((version, chain(mount, Path::new(group), self.root)))
        };
        groups.lines().filter_map(of_line).collect()
    }
}

/// The directories in which a controller's settings for this process stand, deepest first. Every path is taken below
/// `root`.
pub(super) fn directories(controller: &str, root: &Path) -> Vec<(Version, PathBuf)> {
    let found = Mounts::read(controller, root).chains("self");
    found.into_iter().flat_map(|(version, chain)| chain.into_iter().map(move |one| (version, one))).collect()
}

/// The group's directory, and those above it up to the mount.
fn chain(mount: &Mount, group: &Path, root: &Path) -> Vec<PathBuf> {
    let top = root.join(mount.point.strip_prefix("/").unwrap_or(&mount.point));
    // Inside a container the group may lie outside of what is mounted; then the mount is all there is to see.
    let below = group.strip_prefix(&mount.root).unwrap_or(Path::new(""));
    let below = if below.components().all(|part| matches!(part, Component::Normal(_))) {
        below
    } else {
        Path::new("")
    };
    let deepest = top.join(below);
    deepest.ancestors().take_while(|directory| directory.starts_with(&top)).map(Path::to_owned).collect()
}

/// One line of mountinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    /// The directory of the mounted file system that is seen at `point`.
    root: PathBuf,
    point: PathBuf,
    /// Set for a cgroup file system that has the controller.
    version: Option<Version>,
}

impl Mount {
    /// `ID PARENT DEVICE ROOT POINT OPTIONS [TAGS..] - TYPE SOURCE SUPER_OPTIONS`
    fn parse(line: &str, controller: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
        let mut fields = file_system.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1).unwrap_or_default();
        let version = match kind {
            "cgroup2" => Some(Version::Two),
            "cgroup" if options.split(',').any(|option| option == controller) => Some(Version::One),
            _ => None,
        };
        Some(Self { root, point, version })
    }
}

/// A path of mountinfo, in which blanks and backslashes are `\` and three octal digits.
fn unescape(field: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = field.as_bytes();
    let mut path = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let octal = (bytes[at] == b'\\').then(|| field.get(at + 1..at + 4)).flatten();
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                path.push(byte);
                at += 4;
            }
            None => {
                path.push(bytes[at]);
                at += 1;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(path))
}

#[cfg(test)]
mod tests {
    use super::unescape;
    use std::path::Path;

    #[test]
    fn escapes() {
        assert_eq!(unescape(r"/a\040b\134c\0"), Path::new(r"/a b\c\0"));
    }
}
