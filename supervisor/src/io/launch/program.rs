//! Finds the program that a command names and tells, before anything is started, whether the thunk can enter it.
//! It only looks; it runs nothing.

mod search;
mod shebang;

use super::elf::{self, Found};
use nix::sys::statvfs::{FsFlags, fstatvfs};
use nix::unistd::{Gid, Uid};
use search::find;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The kernel follows no more `#!` lines than this, and `env` adds hops of its own.
const MAX_HOPS: usize = 10;

/// Static programs that only start another one: the thunk needs to be in that one, not in them.
const WRAPPERS: [&str; 12] = [
    "env",
    "sh",
    "bash",
    "dash",
    "busybox",
    "toybox",
    "tini",
    "tini-static",
    "dumb-init",
    "catatonit",
    "gosu",
    "su-exec",
];

/// What a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// What to execute, as execvp would.
    pub(crate) path: PathBuf,
    /// The file that the verdict is about: `path`, or the end of its chain of `#!` lines.
    pub(crate) subject: PathBuf,
    pub(crate) verdict: Verdict,
    /// The interpreters that its `#!` lines lead to, in order; the last is the subject.
    pub(crate) interpreters: Vec<PathBuf>,
    /// The dynamic linker that the subject asks for, if it can be told.
    pub(crate) linker: Option<PathBuf>,
}

/// Whether the thunk can enter a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing stands against it.
    Ok,
    /// Statically linked: nothing loads the thunk.
    Static,
    /// Go: it makes its system calls itself, past any library.
    Go,
    /// It gains another user's or group's rights, so that the dynamic linker ignores LD_PRELOAD.
    SetId,
    /// It gains capabilities, with the same effect.
    FileCaps,
    /// For another machine: which.
    OtherArch(String),
    /// Neither an ELF file nor a script with a `#!` line: the kernel would not start it.
    NotElf,
}

/// Why a command cannot be run, or not as a worker. One line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The name is in no directory of PATH.
    #[error("{name:?}: no such command in PATH, which is {path:?}")]
    NotInPath {
        /// The name as given.
        name: OsString,
        /// The value of PATH, or the system's default.
        path: OsString,
    },
    /// There is nothing at that path.
    #[error("{0:?}: no such file")]
    NoSuchFile(PathBuf),
    /// The path is that of a directory.
    #[error("{0:?} is a directory, not a program")]
    IsDirectory(PathBuf),
    /// The file is there and may not be executed.
    #[error(
        "{0:?} is not executable: set its x permission, or start it through its interpreter (is the file system mounted noexec?)"
    )]
    NotExecutable(PathBuf),
    /// A script whose interpreter cannot be run.
    #[error("the #! line of {script:?} cannot be followed: {source}")]
    Interpreter {
        /// The script.
        script: PathBuf,
        /// What is wrong with the interpreter.
        source: Box<Self>,
    },
    /// Scripts that are each other's interpreters.
    #[error("the #! line of {0:?} leads through more interpreters than the system follows")]
    TooManyInterpreters(PathBuf),
    /// The thunk cannot enter it.
    #[error("{0}")]
    CannotEnter(String),
    /// The file could not be looked into.
    #[error("{path:?}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Who executes the program, and with which search path.
#[derive(Clone, Debug)]
struct Context {
    search_path: OsString,
    uid: Uid,
    gid: Gid,
    no_new_privs: bool,
}

impl Context {
    fn current() -> Self {
        Self {
            search_path: std::env::var_os("PATH").unwrap_or_else(|| search::DEFAULT_PATH.into()),
            uid: Uid::current(),
            gid: Gid::current(),
            no_new_privs: nix::sys::prctl::get_no_new_privs().unwrap_or(false),
        }
    }
}

impl Program {
    /// Finds the program by the name it was given on the command line.
    pub(crate) fn resolve(name: &OsStr) -> Result<Self, ProgramError> {
        Self::resolve_in(name, &Context::current())
    }

    fn resolve_in(name: &OsStr, context: &Context) -> Result<Self, ProgramError> {
        let path = find(name, &context.search_path)?;
        follow(path, context)
    }

    /// The subject is known to only start another program, about which nothing is known before it runs.
    pub(crate) fn is_wrapper(&self) -> bool {
        self.verdict == Verdict::Ok && is_wrapper(self.subject.file_name().unwrap_or_default())
    }

    /// Why the thunk cannot enter it, in one line; `None` if it can.
    pub(crate) fn explain(&self) -> Option<String> {
        let fault = match &self.verdict {
            Verdict::Ok => return None,
            Verdict::NotElf => {
                return Some(format!(
                    "{:?} is neither an ELF program nor a script with a #! line: start it through its interpreter, for example with `sh` in front",
                    self.subject
                ));
            }
            Verdict::Static => "is statically linked, so nothing can be preloaded into it".to_owned(),
            Verdict::Go => "is a Go program, which makes its system calls itself".to_owned(),
            Verdict::SetId => "is setuid or setgid, so the dynamic linker ignores LD_PRELOAD".to_owned(),
            Verdict::FileCaps => "has file capabilities, so the dynamic linker ignores LD_PRELOAD".to_owned(),
            Verdict::OtherArch(which) => format!("is a program for another architecture ({which})"),
        };
        let via =
            if self.subject == self.path { String::new() } else { format!(" (by way of {:?})", self.path) };
        let meaning = match &self.verdict {
            // A filter would take from it the rights that it is to gain.
            Verdict::SetId | Verdict::FileCaps => {
                ", and with a seccomp filter it would gain none of its rights: its listeners cannot be intercepted"
            }
            _ => ": the library cannot intercept its listeners",
        };
        Some(format!("{:?}{via} {fault}{meaning}", self.subject))
    }
}

/// The file that a name or a path stands for, which can be executed.
pub(super) fn locate(name: &OsStr) -> Result<PathBuf, ProgramError> {
    find(name, &Context::current().search_path)
}

/// An error unless the file is there: its interpreter would only find out when it runs.
pub(crate) fn check_script(path: &OsStr) -> Result<(), ProgramError> {
    let path = Path::new(path);
    let told = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ProgramError::NoSuchFile(path.to_owned()),
        _ => ProgramError::Io { path: path.to_owned(), source },
    };
    path.metadata().map(drop).map_err(told)
}

/// The end of the chain of `#!` lines that begins at `path`, and the verdict on it.
fn follow(path: PathBuf, context: &Context) -> Result<Program, ProgramError> {
    let mut at = path.clone();
    let mut interpreters = Vec::new();
    for _ in 0..MAX_HOPS {
        let file = match File::open(&at) {
            Ok(file) => file,
            // It can be executed without being readable; then nothing is known against it.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(Program { path, subject: at, verdict: Verdict::Ok, interpreters, linker: None });
            }
            Err(source) => return Err(ProgramError::Io { path: at, source }),
        };
        let mut start = [0; shebang::MAX_LINE];
        let read = elf::read_up_to(&file, &mut start, 0)
            .map_err(|source| ProgramError::Io { path: at.clone(), source })?;
        let Some(line) = shebang::Line::parse(&start[..read]) else {
            let (verdict, linker) =
                judge(&at, &file, context).map_err(|source| ProgramError::Io { path: at.clone(), source })?;
            return Ok(Program { path, subject: at, verdict, interpreters, linker });
        };
        let mut next = search::executable(Path::new(line.interpreter))
            .map_err(|source| interpreter_error(&at, source))?;
        if let Some(target) = line.env_target() {
            interpreters.push(next);
            next = find(&target, &context.search_path).map_err(|source| interpreter_error(&at, source))?;
        }
        at = next;
        interpreters.push(at.clone());
    }
    Err(ProgramError::TooManyInterpreters(path))
}

fn interpreter_error(script: &Path, source: ProgramError) -> ProgramError {
    ProgramError::Interpreter { script: script.to_owned(), source: Box::new(source) }
}

/// The verdict on a file that is no script, and the dynamic linker that it asks for.
fn judge(path: &Path, file: &File, context: &Context) -> io::Result<(Verdict, Option<PathBuf>)> {
    let elf = match elf::read(file)? {
        Found::NotElf => return Ok((Verdict::NotElf, None)),
        Found::Foreign(which) => return Ok((Verdict::OtherArch(which), None)),
        Found::Ours(elf) => elf,
    };
    let name = path.file_name().unwrap_or_default();
    let verdict = if elf.kind == elf::Kind::Other {
        Verdict::NotElf
    } else if let Some(verdict) = privileges(file, context)? {
        verdict
    } else if is_wrapper(name) || is_linker(name) {
        Verdict::Ok
    } else if elf.is_go {
        Verdict::Go
    } else if elf.has_interpreter {
        Verdict::Ok
    } else {
        Verdict::Static
    };
    Ok((verdict, elf.linker))
}

fn is_wrapper(name: &OsStr) -> bool {
    WRAPPERS.iter().any(|wrapper| name == *wrapper)
}

/// The dynamic linker itself, started with a program as its argument, needs no linker and does preload.
fn is_linker(name: &OsStr) -> bool {
    [&b"ld-linux"[..], b"ld-musl", b"ld.so"].iter().any(|prefix| name.as_bytes().starts_with(prefix))
}

/// Whether executing the file gains rights, as the kernel reckons when it sets AT_SECURE.
fn privileges(file: &File, context: &Context) -> io::Result<Option<Verdict>> {
    if fstatvfs(file)?.flags().contains(FsFlags::ST_NOSUID) {
        return Ok(None);
    }
    let status = file.metadata()?;
    let set = |bits: u32| status.mode() & bits == bits;
    if !context.no_new_privs {
        let other_user = set(libc::S_ISUID) && status.uid() != context.uid.as_raw();
        // Without the group's x the bit once meant mandatory locking, and still means nothing here.
        let other_group = set(libc::S_ISGID | libc::S_IXGRP) && status.gid() != context.gid.as_raw();
        if other_user || other_group {
            return Ok(Some(Verdict::SetId));
        }
    }
    // Root has every capability already, so that it gains none.
    let has_capabilities = !context.uid.is_root() && has_capability_attribute(file);
    Ok(has_capabilities.then_some(Verdict::FileCaps))
}

fn has_capability_attribute(file: &File) -> bool {
    // SAFETY: the name is a NUL-terminated literal, and with a size of 0 nothing is written through the null pointer.
    let len = unsafe {
        libc::fgetxattr(file.as_raw_fd(), c"security.capability".as_ptr(), std::ptr::null_mut(), 0)
    };
    len > 0
}

#[cfg(test)]
mod tests;
