//! How the listeners of one version of a program come to the cluster: by the preloaded library or by a seccomp filter, and why. It is
//! decided from the file that is executed, before anything is started.

use super::program::{Program, ProgramError, Verdict};
use crate::config::Intercept;
use crate::io::seccomp::{filter, target};
use clustermon_protocol::env;
use std::fmt;

/// What it is, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interception {
    pub(crate) how: How,
    pub(crate) because: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Preload,
    Seccomp,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preload => "preload",
            Self::Seccomp => "seccomp",
        })
    }
}

impl Interception {
    /// That of a program as the user wants it, or why there is none.
    pub(crate) fn of(program: &Program, wanted: Intercept) -> Result<Self, ProgramError> {
        let by_filter = |because| Ok(Self { how: How::Seccomp, because });
        match (wanted, &program.verdict) {
            (Intercept::Auto | Intercept::Preload, Verdict::Ok) => {
                Ok(Self { how: How::Preload, because: "the dynamic linker loads the library" })
            }
            (Intercept::Seccomp, Verdict::Ok | Verdict::Static | Verdict::Go) => {
                by_filter("--intercept seccomp")
            }
            (Intercept::Auto, Verdict::Static) => by_filter("the program is statically linked"),
            (Intercept::Auto, Verdict::Go) => {
                by_filter("the program is written in Go and makes its system calls itself")
            }
            (Intercept::Preload, Verdict::Static | Verdict::Go) => {
                let why = program.explain().unwrap_or_default();
                Err(ProgramError::CannotEnter(format!(
                    "{why}; --intercept auto takes the seccomp filter for it"
                )))
            }
            (
                Intercept::Auto | Intercept::Preload | Intercept::Seccomp,
                Verdict::SetId | Verdict::FileCaps | Verdict::OtherArch(_) | Verdict::NotElf,
            ) => Err(ProgramError::CannotEnter(program.explain().unwrap_or_default())),
        }
    }

    /// Whether what it needs is there, as far as that can be told without a worker.
    pub(crate) fn check(&self) -> Result<(), ProgramError> {
        match self.how {
            How::Preload => Ok(()),
            How::Seccomp => filter_can_be_used().map_err(|lacks| {
                ProgramError::CannotEnter(format!("{}, so a seccomp filter is needed: {lacks}", self.because))
            }),
        }
    }
}

/// Why no worker of this supervisor can have the filter, and what to do.
fn filter_can_be_used() -> Result<(), String> {
    if std::env::var_os(env::SOCKET).is_some() {
        let why = "this supervisor is itself a worker, and one whose workers have the filter cannot be; start it outside of that cluster";
        return Err(why.to_owned());
    }
    filter_is_there()
}

/// What a seccomp filter that asks this process lacks here, and what to do.
pub(crate) fn filter_is_there() -> Result<(), String> {
    filter::is_there().map_err(|error| {
        format!("the kernel offers no user notification here: {error}; Linux 5.6 or newer is needed")
    })?;
    target::can_copy_descriptors().map_err(|error| {
        format!(
            "pidfd_getfd(2) is not let through: {error}; in a container give CAP_SYS_PTRACE or allow it in the seccomp profile"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn program(verdict: Verdict) -> Program {
        let path = PathBuf::from("/srv/app");
        Program { subject: path.clone(), path, verdict, interpreters: Vec::new(), linker: None }
    }

    #[test]
    fn the_filter_is_for_what_the_library_cannot_enter_and_for_who_asks_for_it() {
        let how = |verdict, wanted| Interception::of(&program(verdict), wanted).map(|found| found.how).ok();
        for (verdict, auto, preload, seccomp) in [
            (Verdict::Ok, Some(How::Preload), Some(How::Preload), Some(How::Seccomp)),
            (Verdict::Static, Some(How::Seccomp), None, Some(How::Seccomp)),
            (Verdict::Go, Some(How::Seccomp), None, Some(How::Seccomp)),
            (Verdict::SetId, None, None, None),
            (Verdict::FileCaps, None, None, None),
            (Verdict::OtherArch("32-bit x86".to_owned()), None, None, None),
            (Verdict::NotElf, None, None, None),
        ] {
            let found = [Intercept::Auto, Intercept::Preload, Intercept::Seccomp]
                .map(|wanted| how(verdict.clone(), wanted));
            assert_eq!(found, [auto, preload, seccomp], "{verdict:?}");
        }
    }

    #[test]
    fn on_this_machine_the_filter_is_there() {
        // The tests of this package that put one on could not run either.
        assert_eq!(filter_is_there(), Ok(()));
    }
}
