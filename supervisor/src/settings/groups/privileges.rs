//! Options on what a worker may do: as whom it runs, below which directory, and within which limits. Names of users are looked up elsewhere.

use crate::settings::{Capability, ConfigError, CpuAffinity, ResourceLimit, default_as_shown, quota};
use std::path::{Path, PathBuf};

/// The highest and the lowest priority, as setpriority(2) takes them.
const NICEST: i32 = 19;
const LEAST_NICE: i32 = -20;
/// Stands for an empty list of groups.
const NO_GROUPS: &str = "none";

/// What a worker may do.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Privileges")]
#[non_exhaustive]
pub struct Privileges {
    /// Run workers as this user, by name or number; with its groups, HOME, USER, LOGNAME and SHELL [default: the supervisor's]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Run workers in this group, by name or number [default: the user's]
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Supplementary groups of workers, or none [default: the user's]
    #[arg(long, value_name = "GROUP,GROUP..", value_delimiter = ',')]
    pub groups: Vec<String>,
    /// Make this directory the root of workers: COMMAND and --cwd are paths below it, where the thunk has to be too
    #[arg(long, value_name = "DIR")]
    pub chroot: Option<PathBuf>,
    /// Limit a resource of each worker, as nofile=65536, or nofile=1024:65536 for soft and hard limit; repeatable
    #[arg(long, value_name = "NAME=SOFT:HARD")]
    pub limit: Vec<ResourceLimit>,
    /// Priority of workers, from -20, which is first, to 19 [default: inherited]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub nice: Option<i32>,
    /// CPUs of workers: spread (each has its own, by its place among the ids), or a list for all of them, such as 0-3,8 [default: inherited]
    #[arg(long, value_name = "CPUS")]
    pub cpu_affinity: Option<CpuAffinity>,
    /// Workers never gain rights by the programs that they execute, such as sudo
    #[arg(long)]
    pub no_new_privs: bool,
    /// Rights of root that workers keep, and no other, whoever they run as, such as net_bind_service; repeatable
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    pub keep_capability: Vec<Capability>,
    /// Put each worker into a control group of its own, which may have so much memory, such as 500M; the kernel kills in it what needs more
    #[arg(long, value_name = "SIZE", value_parser = quota::bytes)]
    pub memory_max: Option<u64>,
    /// The same with so much processor time: percent of one CPU, such as 150%
    #[arg(long, value_name = "PERCENT", value_parser = quota::percent)]
    pub cpu_max: Option<u32>,
}

default_as_shown!(Privileges);

impl Privileges {
    /// The names of the supplementary groups; `None` if they are the user's.
    pub fn groups(&self) -> Option<&[String]> {
        match self.groups.as_slice() {
            [] => None,
            [one] if one == NO_GROUPS => Some(&[]),
            groups => Some(groups),
        }
    }

    pub(in crate::settings) fn check(&self) -> Result<(), ConfigError> {
        for (option, name) in [("user", &self.user), ("group", &self.group)] {
            if name.as_ref().is_some_and(|name| name.is_empty() || name.contains('\0')) {
                return Err(ConfigError::EmptyName { option });
            }
        }
        let odd = |name: &String| {
            name.is_empty() || name.contains('\0') || self.groups.len() > 1 && name == NO_GROUPS
        };
        if self.groups.iter().any(odd) {
            return Err(ConfigError::EmptyName { option: "groups" });
        }
        if self.chroot.as_ref().is_some_and(|path| path == Path::new("")) {
            return Err(ConfigError::EmptyPath { option: "chroot" });
        }
        if let Some(nice) = self.nice.filter(|nice| !(LEAST_NICE..=NICEST).contains(nice)) {
            return Err(ConfigError::Nice(nice));
        }
        for (option, given) in [("memory-max", self.memory_max), ("cpu-max", self.cpu_max.map(u64::from))] {
            if given == Some(0) {
                return Err(ConfigError::Zero { option, advice: "a worker could not run; give more" });
            }
        }
        Ok(())
    }
}
