//! The folders whose entries the kernel reports on, and what is said where it will not. A folder is watched alone: those in it are others.

use crossbeam_channel::Sender;
use notify::{Config, ErrorKind, Event, INotifyWatcher, RecursiveMode, Watcher};
use std::path::Path;

/// An event, or why there is none.
pub(super) type Told = notify::Result<Event>;

/// Adds folders, and complains once of each kind of fault.
#[derive(Debug)]
pub(super) struct Folders {
    watcher: INotifyWatcher,
    has_told_limit: bool,
    has_told_other: bool,
}

impl Folders {
    /// Events are sent there by a thread that is notify's own; it gives up its sender at its end, which comes after this is dropped.
    pub(super) fn new(events: Sender<Told>) -> notify::Result<Self> {
        let send = move |told: Told| {
            let is_read = told.as_ref().is_ok_and(|event| event.kind.is_access());
            if !is_read {
                // Nobody listens any more only at the end.
                let _ = events.send(told);
            }
        };
        let watcher = INotifyWatcher::new(send, Config::default())?;
        Ok(Self { watcher, has_told_limit: false, has_told_other: false })
    }

    /// Watches the folder; false if the kernel lets nobody watch more.
    pub(super) fn add(&mut self, folder: &Path) -> bool {
        match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
            Ok(()) => true,
            // It has gone again: the one above it tells that.
            Err(error) if is_missing(&error) => true,
            Err(error) => {
                self.complain(folder, &error);
                !matches!(error.kind, ErrorKind::MaxFilesWatch)
            }
        }
    }

    /// What was here is no longer what stands under this path.
    pub(super) fn forget(&mut self, folder: &Path) {
        // It may not have been watched, and the kernel forgets by itself what was removed.
        let _ = self.watcher.unwatch(folder);
    }

    /// Says what goes unnoticed and why; once, for there may be thousands of folders.
    pub(super) fn complain(&mut self, folder: &Path, error: &notify::Error) {
        let is_limit = matches!(error.kind, ErrorKind::MaxFilesWatch);
        let has_told = if is_limit { &mut self.has_told_limit } else { &mut self.has_told_other };
        if std::mem::replace(has_told, true) {
            log::debug!("watch: {}: {error}", folder.display());
        } else {
            log::warn!(
                "watch: changes in {} and perhaps elsewhere go unnoticed: {}",
                folder.display(),
                because(error)
            );
        }
    }
}

/// Why nothing, or nothing more, can be watched; with what to do where that is known.
pub(super) fn because(error: &notify::Error) -> String {
    match &error.kind {
        ErrorKind::MaxFilesWatch => {
            let advice = "or exclude folders by .gitignore or .ignore";
            format!("this user watches as many folders as the sysctl fs.inotify.max_user_watches allows; raise it, {advice}")
        }
        ErrorKind::Io(error) if error.raw_os_error() == Some(nix::libc::EMFILE) => {
            "this user watches in as many processes as the sysctl fs.inotify.max_user_instances allows; raise it".to_owned()
        }
        ErrorKind::Io(error) => error.to_string(),
        _ => error.to_string(),
    }
}

fn is_missing(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => {
            matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_with_its_name() {
        let full = because(&notify::Error::new(ErrorKind::MaxFilesWatch));
        assert!(full.contains("fs.inotify.max_user_watches") && full.lines().count() == 1, "{full}");
        let instances = std::io::Error::from_raw_os_error(nix::libc::EMFILE);
        assert!(because(&notify::Error::io(instances)).contains("fs.inotify.max_user_instances"));
        let other = std::io::Error::from_raw_os_error(nix::libc::EACCES);
        assert_eq!(because(&notify::Error::io(other)), "Permission denied (os error 13)");
    }
}
