//! The methods of the builder for options on what a worker may do, one for each option, under the flag's name.

use super::Builder;
use crate::config::{Capability, CpuAffinity, ResourceLimit};
use std::path::PathBuf;

impl Builder {
    /// The user that workers run as, by name or number, with its groups, HOME, USER, LOGNAME and SHELL. Looked up at the start and anew by each
    /// reload.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.settings.privileges.user = Some(user.into());
        self
    }

    /// The group that workers run in, by name or number; by default the user's.
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.settings.privileges.group = Some(group.into());
        self
    }

    /// The supplementary groups of workers, by name or number, or `none` alone; by default the user's.
    pub fn groups(mut self, groups: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.settings.privileges.groups = groups.into_iter().map(Into::into).collect();
        self
    }

    /// The root directory of workers: the command and `cwd` are paths below it.
    pub fn chroot(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.privileges.chroot = Some(path.into());
        self
    }

    /// One more limit on a resource of each worker.
    pub fn limit(mut self, limit: ResourceLimit) -> Self {
        self.settings.privileges.limit.push(limit);
        self
    }

    /// The priority of workers, from -20, which is first, to 19.
    pub fn nice(mut self, nice: i32) -> Self {
        self.settings.privileges.nice = Some(nice);
        self
    }

    /// The CPUs that workers may run on.
    pub fn cpu_affinity(mut self, cpus: CpuAffinity) -> Self {
        self.settings.privileges.cpu_affinity = Some(cpus);
        self
    }

    /// Whether workers can never gain rights by what they execute.
    pub fn no_new_privs(mut self, yes: bool) -> Self {
        self.settings.privileges.no_new_privs = yes;
        self
    }

    /// One more right of root that workers keep; they have no other then, whoever they run as.
    pub fn keep_capability(mut self, capability: Capability) -> Self {
        self.settings.privileges.keep_capability.push(capability);
        self
    }

    /// How many bytes of memory the control group of each worker may have.
    pub fn memory_max(mut self, bytes: u64) -> Self {
        self.settings.privileges.memory_max = Some(bytes);
        self
    }

    /// How much processor time the control group of each worker may have, in percent of one CPU.
    pub fn cpu_max(mut self, percent: u32) -> Self {
        self.settings.privileges.cpu_max = Some(percent);
        self
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Builder, CpuAffinity};

    #[test]
    fn what_is_told_is_kept() {
        let config = Builder::new(["x"])
            .user("app")
            .group("7")
            .groups(["none"])
            .chroot("/srv")
            .limit("nofile=5:9".parse().unwrap())
            .nice(-3)
            .cpu_affinity(CpuAffinity::Spread)
            .no_new_privs(true)
            .keep_capability("net_bind_service".parse().unwrap())
            .build_for(1)
            .unwrap();
        let told = config.settings.privileges;
        assert_eq!((told.user.as_deref(), told.group.as_deref()), (Some("app"), Some("7")));
        assert_eq!((told.groups(), told.nice, told.no_new_privs), (Some(&[][..]), Some(-3), true));
        assert_eq!((told.limit[0].soft(), told.limit[0].hard()), (5, 9));
        assert_eq!((told.keep_capability[0].number(), told.cpu_affinity), (10, Some(CpuAffinity::Spread)));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let fault = |change: fn(Builder) -> Builder| {
            change(Builder::new(["x"])).build_for(1).unwrap_err().to_string()
        };
        assert_eq!(fault(|b| b.user("")), "--user: give a name or a number");
        assert_eq!(fault(|b| b.groups(["a", "none"])), "--groups: give a name or a number");
        assert_eq!(fault(|b| b.chroot("")), "--chroot: the path is empty");
        assert!(fault(|b| b.memory_max(0)).starts_with("--memory-max 0: "));
        assert!(fault(|b| b.nice(20)).starts_with("--nice 20: "));
    }
}
