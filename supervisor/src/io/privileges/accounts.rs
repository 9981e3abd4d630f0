//! Users and groups by the names that people give them, as the system's name service knows them. Asked in the supervisor alone: between fork
//! and exec nothing may be looked up.

use super::error::PrivilegesError;
use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::ffi::{CString, OsString};

/// Whom the kernel is to take a process for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// The supplementary groups; `None` leaves them as they are.
    pub(super) groups: Option<Vec<libc::gid_t>>,
}

/// What is known of a user.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) uid: Uid,
    /// Nothing is known of a number that nobody has.
    entry: Option<User>,
}

impl Account {
    /// That of a name or number.
    pub(super) fn find(name: &str) -> Result<Self, PrivilegesError> {
        let failed = |errno: Errno| PrivilegesError::lookup("user", name, errno);
        if let Some(user) = User::from_name(name).map_err(failed)? {
            return Ok(Self { uid: user.uid, entry: Some(user) });
        }
        let uid = number(name).map(Uid::from_raw);
        let uid = uid.ok_or_else(|| PrivilegesError::NoSuchUser { name: name.to_owned() })?;
        Ok(Self { uid, entry: User::from_uid(uid).map_err(failed)? })
    }

    /// The main group, if it has one.
    pub(super) fn group(&self) -> Option<Gid> {
        self.entry.as_ref().map(|user| user.gid)
    }

    /// The groups that it is in, with this as its main one.
    pub(super) fn groups(&self, main: Gid) -> Result<Vec<libc::gid_t>, PrivilegesError> {
        let Some(user) = &self.entry else { return Ok(vec![main.as_raw()]) };
        let name = CString::new(user.name.as_str()).unwrap_or_default();
        let groups = getgrouplist(&name, main)
            .map_err(|errno| PrivilegesError::lookup("groups", &user.name, errno))?;
        Ok(groups.into_iter().map(Gid::as_raw).collect())
    }

    /// What a login would set for it.
    pub(super) fn variables(&self) -> Vec<(OsString, OsString)> {
        let Some(user) = &self.entry else { return Vec::new() };
        let of_name = |name: &str| (name.into(), OsString::from(&user.name));
        let mut variables = vec![of_name("USER"), of_name("LOGNAME")];
        for (name, path) in [("HOME", &user.dir), ("SHELL", &user.shell)] {
            if !path.as_os_str().is_empty() {
                variables.push((name.into(), path.clone().into_os_string()));
            }
        }
        variables
    }
}

/// The group of a name or number.
pub(super) fn group(option: &'static str, name: &str) -> Result<Gid, PrivilegesError> {
    let found = Group::from_name(name).map_err(|errno| PrivilegesError::lookup(option, name, errno))?;
    let found = found.map(|group| group.gid).or_else(|| number(name).map(Gid::from_raw));
    found.ok_or_else(|| PrivilegesError::NoSuchGroup { option, name: name.to_owned() })
}

/// The greatest number stands for none in the kernel's calls.
fn number(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }.filter(|number| *number != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        let root = Account::find("root").unwrap();
        assert_eq!((root.uid, root.group()), (Uid::from_raw(0), Some(Gid::from_raw(0))));
        assert!(root.groups(Gid::from_raw(0)).unwrap().contains(&0));
        assert!(root.variables().contains(&("USER".into(), "root".into())));
        let by_number = Account::find("0").unwrap();
        assert_eq!(by_number.variables(), root.variables());
        assert_eq!(group("group", "root").unwrap(), Gid::from_raw(0));
        assert_eq!(group("group", "12345").unwrap(), Gid::from_raw(12345));
    }

    #[test]
    fn one_that_nobody_has_is_told_or_is_a_number() {
        let stranger = Account::find("3999999999").unwrap();
        assert_eq!((stranger.group(), stranger.variables()), (None, Vec::new()));
        assert_eq!(stranger.groups(Gid::from_raw(7)).unwrap(), [7]);
        for name in ["no-such-user", "4294967295", "-1", "0x1"] {
            assert_eq!(
                Account::find(name).unwrap_err().to_string(),
                format!("--user {name}: there is no such user")
            );
        }
        let told = group("groups", "no-such-group").unwrap_err().to_string();
        assert_eq!(told, "--groups no-such-group: there is no such group");
    }
}
