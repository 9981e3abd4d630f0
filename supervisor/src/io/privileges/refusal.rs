//! Why the kernel did not let a new process come to what it may do, in one line that names the option, what the kernel said, and what to do.

use super::confinement::Confinement;
use super::step::Step;
use std::io;
use std::path::Path;

impl Confinement {
    /// Why a step has failed, in one line: which option, what the kernel said, what to do.
    pub(crate) fn explain(
        &self,
        step: Step,
        error: &io::Error,
        program: &Path,
        cwd: Option<&Path>,
        library: Option<&Path>,
    ) -> String {
        let told = &self.told;
        let is = |errnos: &[i32]| error.raw_os_error().is_some_and(|errno| errnos.contains(&errno));
        let refused = is(&[libc::EPERM, libc::EACCES]);
        let by_root = |capability: &str| match refused {
            true => format!("; only root may, or who has CAP_{capability}"),
            false if is(&[libc::EINVAL]) => "; no such number in this user namespace".to_owned(),
            false => String::new(),
        };
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        match step {
            Step::ControlGroup => {
                format!("--memory-max, --cpu-max: the control group of a worker cannot be entered: {error}")
            }
            Step::Limit(at) => {
                let limit = told.limit.get(usize::from(at)).map(ToString::to_string).unwrap_or_default();
                let hint = if refused {
                    "; above the hard limit of this process only CAP_SYS_RESOURCE reaches"
                } else {
                    ""
                };
                format!("--limit {limit}: {error}{hint}")
            }
            Step::Nice => {
                let hint = if refused { "; a higher priority takes root, or CAP_SYS_NICE" } else { "" };
                format!("--nice {}: {error}{hint}", told.nice.unwrap_or_default())
            }
            Step::Cpus => {
                let cpus = told.cpu_affinity.as_ref().map(ToString::to_string).unwrap_or_default();
                let hint = if is(&[libc::EINVAL]) {
                    "; not all of these CPUs are there for this process"
                } else {
                    ""
                };
                format!("--cpu-affinity {cpus}: {error}{hint}")
            }
            Step::Groups if told.groups().is_some() => {
                format!("--groups {}: {error}{}", told.groups.join(","), by_root("SETGID"))
            }
            Step::Groups => format!("{}: the groups of this user: {error}{}", self.whom(), by_root("SETGID")),
            Step::Root => format!(
                "--chroot {:?}: {error}{}",
                self.root.as_deref().unwrap_or(Path::new("")),
                by_root("SYS_CHROOT")
            ),
            Step::Directory => format!("--cwd {:?}: {error}", cwd.unwrap_or(Path::new("."))),
            Step::Group if told.group.is_some() => {
                format!("--group {}: {error}{}", name(&told.group), by_root("SETGID"))
            }
            Step::Group => format!("{}: its group: {error}{}", self.whom(), by_root("SETGID")),
            Step::User => format!("--user {}: {error}{}", name(&told.user), by_root("SETUID")),
            Step::Bound => {
                let hint = if refused {
                    "; without CAP_SETPCAP others can only be shut out by --no-new-privs too"
                } else {
                    ""
                };
                format!("--keep-capability {}: {error}{hint}", self.kept_names())
            }
            Step::Keep => {
                let hint = if refused { "; this process itself does not have all of these" } else { "" };
                format!("--keep-capability {}: {error}{hint}", self.kept_names())
            }
            Step::NoNewPrivs => format!("--no-new-privs: {error}"),
            Step::Program => format!(
                "{}: {program:?} may not be executed: {error}; look at the modes of the file and of the folders above it",
                self.whom()
            ),
            Step::Library => {
                let library = library.unwrap_or(Path::new(""));
                format!("{}: the library {library:?} cannot be read by workers: {error}", self.whom())
            }
            Step::Entered => format!(
                "{}: --cwd {:?} cannot be entered: {error}",
                self.whom(),
                cwd.unwrap_or(Path::new("."))
            ),
            Step::Done => error.to_string(),
        }
    }

    /// By which option a worker is whom it is.
    fn whom(&self) -> String {
        match (&self.told.user, &self.told.group) {
            (Some(user), _) => format!("--user {user}"),
            (None, Some(group)) => format!("--group {group}"),
            (None, None) => "privileges".to_owned(),
        }
    }

    fn kept_names(&self) -> String {
        self.told.keep_capability.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}
