//! What the workers of one version may do, found out before any is started. It starts none and asks the kernel for nothing yet.

use super::accounts::{self, Account, Credentials};
use super::affinity::Affinity;
use super::capabilities;
use super::error::PrivilegesError;
use super::view::{Onlooker, View};
use super::worker_groups::{GroupLimit, WorkerGroups};
use crate::settings::{Privileges, Program};
use nix::unistd::{Gid, Uid, getgroups};
use std::ffi::{CString, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CAP_KILL: u32 = 5;
const CAP_SETUID: u32 = 7;
const CAP_SYS_PTRACE: u32 = 19;

type Variables = Vec<(OsString, OsString)>;

/// All of it. The default changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// As they were given.
    pub(super) told: Privileges,
    /// Of another user or group than the supervisor's.
    pub(super) credentials: Option<Credentials>,
    /// Variables that a login of the user would set.
    pub(crate) variables: Variables,
    pub(crate) root: Option<PathBuf>,
    pub(super) root_path: Option<CString>,
    pub(super) affinity: Option<Affinity>,
    /// One bit for each capability that is kept, if only some are.
    pub(super) kept: Option<u64>,
    /// Makes the control group of each worker, if it is to have one.
    pub(super) groups: Option<Arc<WorkerGroups>>,
}

impl Confinement {
    /// Looks users and groups up, and the root directory.
    pub(crate) fn read(told: &Privileges, workers: u32) -> Result<Self, PrivilegesError> {
        let (credentials, variables) = credentials(told)?;
        let root = told.chroot.as_deref().map(root).transpose()?;
        let affinity = told.cpu_affinity.clone().map(|wanted| Affinity::new(wanted, workers)).transpose();
        let affinity =
            affinity.map_err(|error| PrivilegesError::Refused(format!("--cpu-affinity: {error}")))?;
        let bits = |set: u64, number: u8| set | 1 << number;
        let kept = told.keep_capability.iter().map(|one| one.number()).fold(0, bits);
        let root_path = root.as_ref().and_then(|root| CString::new(root.as_os_str().as_bytes()).ok());
        Ok(Self {
            credentials,
            variables,
            root,
            root_path,
            affinity,
            kept: (kept != 0).then_some(kept),
            groups: None,
            told: told.clone(),
        })
    }

    /// Makes the supervisor's control group one that has a group for each worker, if they are to have any. This changes the machine: only for who
    /// is about to start workers.
    pub(crate) fn divide(&mut self, owns_process: bool) -> Result<(), PrivilegesError> {
        self.groups = groups(&self.told, owns_process)?;
        Ok(())
    }

    /// Workers have control groups.
    pub(crate) fn is_divided(&self) -> bool {
        self.groups.is_some()
    }

    /// Whether there is nothing that the kernel could refuse.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self { variables: self.variables.clone(), told: self.told.clone(), ..Self::default() }
            && self.told.limit.is_empty()
            && self.told.nice.is_none()
            && !self.told.no_new_privs
    }

    /// Whether a worker is another user than this process.
    pub(crate) fn changes_user(&self) -> bool {
        self.credentials.as_ref().is_some_and(|credentials| credentials.uid != Uid::effective())
    }

    /// An error if this process could start such workers and not rule them.
    pub(crate) fn check_own_rights(&self, is_filtered: bool) -> Result<(), PrivilegesError> {
        if !self.changes_user() || self.kernel_will_refuse() {
            return Ok(());
        }
        if !capabilities::has(CAP_KILL) {
            return Err(PrivilegesError::Powerless { capability: "KILL", purpose: "stop" });
        }
        if is_filtered && !capabilities::has(CAP_SYS_PTRACE) {
            return Err(PrivilegesError::Powerless {
                capability: "SYS_PTRACE",
                purpose: "take in listeners of",
            });
        }
        Ok(())
    }

    /// How threads that look at processes of workers do so.
    pub(crate) fn onlooker(&self) -> Onlooker {
        let is_blind = self.changes_user() && !capabilities::has(CAP_SYS_PTRACE);
        let whom = self.credentials.as_ref().map(|credentials| (credentials.uid, credentials.gid));
        Onlooker(whom.filter(|_| is_blind))
    }

    /// It says so more plainly.
    fn kernel_will_refuse(&self) -> bool {
        !capabilities::has(CAP_SETUID)
    }

    /// How files look to a worker.
    pub(crate) fn view(&self) -> View {
        View::new(self.root.as_deref(), self.credentials.as_ref())
    }

    /// The same below its root, with the rights of this process.
    pub(crate) fn below_root(&self) -> View {
        View::new(self.root.as_deref(), None)
    }
}

/// Whom a worker is to be, if that is not who this process is, and the variables of a login.
fn credentials(told: &Privileges) -> Result<(Option<Credentials>, Variables), PrivilegesError> {
    if told.user.is_none() && told.group.is_none() && told.groups().is_none() {
        return Ok((None, Vec::new()));
    }
    let account = told.user.as_deref().map(Account::find).transpose()?;
    let uid = account.as_ref().map_or_else(Uid::effective, |account| account.uid);
    let gid = match (&told.group, &account) {
        (Some(name), _) => accounts::group("group", name)?,
        (None, Some(account)) => {
            let name = || told.user.clone().unwrap_or_default();
            account.group().ok_or_else(|| PrivilegesError::NoGroup { name: name() })?
        }
        (None, None) => Gid::effective(),
    };
    let named = told.groups().map(|names| {
        let numbers = names.iter().map(|name| accounts::group("groups", name).map(Gid::as_raw));
        numbers.collect::<Result<Vec<_>, _>>()
    });
    let is_self = uid == Uid::effective() && gid == Gid::effective();
    let groups = match (named.transpose()?, &account) {
        (Some(named), _) => Some(named),
        // Who stays who he is keeps his groups, which only root could change.
        (None, Some(account)) if !is_self || uid.is_root() => Some(account.groups(gid)?),
        (None, _) => None,
    };
    let variables = account.map(|account| account.variables()).unwrap_or_default();
    let same_groups = groups.as_ref().is_none_or(|groups| have_groups(groups));
    let credentials = (!is_self || !same_groups).then_some(Credentials { uid, gid, groups });
    Ok((credentials, variables))
}

/// The control groups of workers, if there is a limit for them.
fn groups(told: &Privileges, owns_process: bool) -> Result<Option<Arc<WorkerGroups>>, PrivilegesError> {
    let memory = told.memory_max.map(|bytes| ("memory-max", "memory", "memory.max", bytes.to_string()));
    // So much in each tenth of a second, in microseconds.
    let cpu = told.cpu_max.map(|percent| ("cpu-max", "cpu", "cpu.max", format!("{}000 100000", percent)));
    let limit = |(option, controller, file, value)| GroupLimit { option, controller, file, value };
    let limits: Vec<_> = memory.into_iter().chain(cpu).map(limit).collect();
    let wanted = !limits.is_empty();
    wanted.then(|| WorkerGroups::prepare(limits, !owns_process).map(Arc::new)).transpose()
}

/// Whether these are the supplementary groups of this process.
fn have_groups(wanted: &[libc::gid_t]) -> bool {
    let sorted = |groups: &[libc::gid_t]| {
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        groups.dedup();
        groups
    };
    let own: Vec<_> = getgroups().unwrap_or_default().into_iter().map(Gid::as_raw).collect();
    sorted(&own) == sorted(wanted)
}

/// The directory, with every link followed.
fn root(path: &Path) -> Result<PathBuf, PrivilegesError> {
    let fault = |error| PrivilegesError::Root { path: path.to_owned(), error };
    let found = std::fs::canonicalize(path).map_err(fault)?;
    if found.is_dir() { Ok(found) } else { Err(fault(io::ErrorKind::NotADirectory.into())) }
}

impl Program {
    /// The directory below a root in which workers run.
    pub(crate) fn cwd_below_root(&self) -> &Path {
        self.cwd.as_deref().unwrap_or(Path::new("/"))
    }
}
