//! Why workers cannot be given what `--user` and its like ask for, each as one line that says what to do. It finds nothing out.

use nix::errno::Errno;
use std::io;
use std::path::PathBuf;

/// One line each.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegesError {
    /// Nobody is called so.
    #[error("--user {name}: there is no such user")]
    NoSuchUser {
        /// As it was given.
        name: String,
    },
    /// No group is called so.
    #[error("--{option} {name}: there is no such group")]
    NoSuchGroup {
        /// `group` or `groups`.
        option: &'static str,
        /// As it was given.
        name: String,
    },
    /// A number of which nothing is known.
    #[error("--user {name}: nobody has this number, so no group is known for it: give --group too")]
    NoGroup {
        /// As it was given.
        name: String,
    },
    /// The name service has failed.
    #[error("--{option} {name}: cannot be looked up: {error}")]
    Lookup {
        /// The option.
        option: &'static str,
        /// As it was given.
        name: String,
        /// What the system said.
        error: io::Error,
    },
    /// No directory to be the root.
    #[error("--chroot {path:?}: {error}")]
    Root {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The library is missing below the root, or is another.
    #[error(
        "--chroot {root:?}: {what}: `install -D -m 555 {library} {}` puts it there, or give --thunk with a path that has it in both places",
        .root.join(.library.strip_prefix("/").unwrap_or(.library)).display(), library = .library.display()
    )]
    Library {
        /// The root directory.
        root: PathBuf,
        /// The library, outside of it.
        library: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// No control group for each worker.
    #[error("--{option}: {what}")]
    Group {
        /// The option.
        option: &'static str,
        /// Why not, and what to do.
        what: String,
    },
    /// A right without which the supervisor could not do its work.
    #[error(
        "--user: this process has no CAP_{capability}, without which it could not {purpose} workers of another user: give it that right, or leave --user away"
    )]
    Powerless {
        /// The right, as capabilities(7) has it.
        capability: &'static str,
        /// What it is for.
        purpose: &'static str,
    },
    /// The kernel has refused a step on the way to a worker.
    #[error("{0}")]
    Refused(String),
}

impl PrivilegesError {
    pub(super) fn lookup(option: &'static str, name: &str, errno: Errno) -> Self {
        Self::Lookup { option, name: name.to_owned(), error: errno.into() }
    }
}
