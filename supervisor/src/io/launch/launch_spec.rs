//! What a worker is made of: the program, the directory it runs in and the variables of its file. Read when the cluster
//! starts and again by each reload, so that a link to the current version leads to what it points to then.

use super::env_file::{self, EnvFault, Variable};
use super::interception::{How, Interception};
use super::program::{self, Program, ProgramError};
use crate::config::{Config, MAX_WORKERS, Ready};
use crate::io::privileges::confinement::Confinement;
pub use crate::io::privileges::error::PrivilegesError;
use crate::io::privileges::step::Step;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaunchSpec {
    /// The file to execute.
    pub(crate) program: PathBuf,
    /// Where, with every link followed; `None` is where the supervisor is.
    pub(crate) cwd: Option<PathBuf>,
    /// The file mode creation mask; `None` is that of this process.
    pub(crate) umask: Option<u32>,
    pub(crate) variables: Vec<Variable>,
    /// How its listeners come to the cluster.
    pub(crate) interception: Interception,
    /// What it may do.
    pub(crate) confinement: Confinement,
}

/// Why there is none. One line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The command cannot be run, or not as a worker.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// It cannot be found out in this way whether such a program is ready.
    #[error(
        "--ready {ready}: a worker cannot be asked alone where listeners come by a seccomp filter ({because}); take listen, notify, fd:N or a delay"
    )]
    Ready {
        /// As it was given.
        ready: Ready,
        /// Why it is by a filter.
        because: &'static str,
    },
    /// It cannot be given what `--user` and its like ask for.
    #[error(transparent)]
    Privileges(#[from] PrivilegesError),
    /// The command of a hook cannot be run.
    #[error("--{option}: {source}")]
    Hook {
        /// The option, without dashes in front, and the event where it is for one: `on worker_exit`.
        option: String,
        /// What is wrong with it.
        source: ProgramError,
    },
    /// No directory to run in.
    #[error("--cwd {path:?}: {error}")]
    Cwd {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file of variables cannot be read.
    #[error("--env-file {path:?}: {error}")]
    EnvFile {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line in it is at fault.
    #[error("--env-file {path:?}, line {line}: {fault}")]
    EnvLine {
        /// As it was given.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong, and what to do.
        fault: EnvFault,
    },
}

impl LaunchSpec {
    /// Reads it as things are now.
    pub(crate) fn read(config: &Config, home: Option<&Path>) -> Result<Self, RecipeError> {
        let workers = u32::try_from(config.logical_ids.len()).unwrap_or(MAX_WORKERS);
        let confinement = Confinement::read(&config.settings.privileges, workers)?;
        let found = confinement.below_root().run(|| find(config, home));
        let refused = |error: io::Error| {
            let root = confinement.root.clone().unwrap_or_default();
            PrivilegesError::Refused(format!(
                "--chroot {root:?}: {error}; only root may, or who has CAP_SYS_CHROOT"
            ))
        };
        let (program, cwd) = found.map_err(refused)??;
        let interception = Interception::of(&program, config.settings.program.intercept)?;
        interception.check()?;
        if let (How::Seccomp, Some(ready @ (Ready::Tcp | Ready::Http(_)))) =
            (interception.how, &config.settings.readiness.ready)
        {
            return Err(RecipeError::Ready { ready: ready.clone(), because: interception.because });
        }
        let variables = config.settings.program.env_file.as_deref().map(read_variables).transpose()?;
        let umask = config.settings.program.umask;
        let variables = variables.unwrap_or_default();
        Ok(Self { program: program.path, cwd, umask, variables, interception, confinement })
    }
}

impl LaunchSpec {
    /// Why a worker of it cannot be brought to what it may do, in one line.
    pub(super) fn explain(&self, step: Step, error: &io::Error, library: Option<&Path>) -> String {
        self.confinement.explain(step, error, &self.program, self.cwd.as_deref(), library)
    }
}

/// The program and the directory that it runs in, to be looked for below the root of workers.
fn find(config: &Config, home: Option<&Path>) -> Result<(Program, Option<PathBuf>), RecipeError> {
    let options = &config.settings.program;
    let place = match config.settings.privileges.chroot {
        Some(_) => Some(options.cwd_below_root()),
        None => options.cwd.as_deref().or(home),
    };
    let cwd = place.map(directory).transpose()?;
    let script = config.command.first().map(OsString::as_os_str).unwrap_or_default();
    let name = options.interpreter().next().map_or(script, OsString::as_os_str);
    let program = Program::resolve(&placed(name, cwd.as_deref()))?;
    if options.interpreter.is_some() {
        program::check_script(&cwd.as_deref().unwrap_or(Path::new("")).join(script).into_os_string())?;
    }
    Ok((program, cwd))
}

/// The working directory as the user's shell calls it, if that is a link or leads through one: a deployment that turns
/// the link moves it.
pub(crate) fn home() -> Option<PathBuf> {
    let logical = PathBuf::from(std::env::var_os("PWD")?);
    let (named, here) = (std::fs::metadata(&logical).ok()?, std::fs::metadata(".").ok()?);
    let same = logical.is_absolute() && named.dev() == here.dev() && named.ino() == here.ino();
    let links = std::fs::canonicalize(&logical).is_ok_and(|physical| physical != logical);
    (same && links).then_some(logical)
}

fn directory(path: &Path) -> Result<PathBuf, RecipeError> {
    let fault = |error| RecipeError::Cwd { path: path.to_owned(), error };
    let found = std::fs::canonicalize(path).map_err(fault)?;
    if found.is_dir() { Ok(found) } else { Err(fault(io::ErrorKind::NotADirectory.into())) }
}

/// A path is one of the directory's; a name is looked for in PATH.
pub(super) fn placed(name: &OsStr, cwd: Option<&Path>) -> OsString {
    match cwd {
        Some(cwd) if name.as_bytes().contains(&b'/') => cwd.join(name).into_os_string(),
        Some(_) | None => name.to_owned(),
    }
}

fn read_variables(path: &Path) -> Result<Vec<Variable>, RecipeError> {
    let path = || path.to_owned();
    let bytes = std::fs::read(path()).map_err(|error| RecipeError::EnvFile { path: path(), error })?;
    env_file::parse(&bytes).map_err(|(line, fault)| RecipeError::EnvLine { path: path(), line, fault })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Builder;
    use crate::io::scratch::Scratch;

    fn read(dir: &Path, change: impl FnOnce(Builder) -> Builder) -> Result<LaunchSpec, String> {
        let config = change(Builder::new(["./run.sh"]).cwd(dir)).build_for(1).unwrap();
        LaunchSpec::read(&config, None).map_err(|error| error.to_string())
    }

    fn script(path: &Path) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_link_leads_where_it_points_now() {
        let scratch = Scratch::new();
        let current = scratch.path().join("current");
        for version in ["one", "two"] {
            let dir = scratch.path().join(version);
            std::fs::create_dir(&dir).unwrap();
            script(&dir.join("run.sh"));
            let _ = std::fs::remove_file(&current);
            std::os::unix::fs::symlink(&dir, &current).unwrap();
            let recipe = read(&current, |b| b).unwrap();
            let dir = std::fs::canonicalize(&dir).unwrap();
            assert_eq!(recipe.program, dir.join("./run.sh"));
            assert_eq!(recipe.cwd, Some(dir));
        }
        std::fs::remove_file(&current).unwrap();
        assert!(read(&current, |b| b).unwrap_err().starts_with("--cwd"));
    }

    #[test]
    fn a_file_of_variables_is_read_or_its_fault_told() {
        let scratch = Scratch::new();
        script(&scratch.path().join("run.sh"));
        let file = scratch.path().join("env");
        std::fs::write(&file, "A=1\nB=\"two\\nlines\" # both\n").unwrap();
        let recipe = read(scratch.path(), |b| b.env_file(&file)).unwrap();
        assert_eq!(recipe.variables, [("A", "1"), ("B", "two\nlines")].map(|(a, b)| (a.into(), b.into())));
        std::fs::write(&file, "A=1\nB\n").unwrap();
        let error = read(scratch.path(), |b| b.env_file(&file)).unwrap_err();
        assert_eq!(
            error,
            format!("--env-file {file:?}, line 2: write NAME=value, a comment after #, or nothing")
        );
        std::fs::remove_file(&file).unwrap();
        assert!(read(scratch.path(), |b| b.env_file(&file)).unwrap_err().starts_with("--env-file"));
    }
}
