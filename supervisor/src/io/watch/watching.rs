//! All places that are watched, on a thread of its own: takes in events, keeps track of folders that come and go, and tells of each burst
//! of changes once it is over. It never touches a file.

use super::burst::{Burst, Change};
use super::fact::{Fact, is_special, is_touched};
use super::folders::{Folders, Told};
use super::names;
use super::place::shown;
use super::rules::Rules;
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What has changed at a time: for a line of the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The first that has.
    path: String,
    /// How many more have.
    others: usize,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has changed", self.path)?;
        if self.others > 0 { write!(f, " (and {} more)", self.others) } else { Ok(()) }
    }
}

/// A file or a folder that was asked for.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    rules: Rules,
}

/// What the thread holds.
#[derive(Debug)]
pub(super) struct Watching<E> {
    /// Where paths are shown from.
    here: Option<PathBuf>,
    places: Vec<Place>,
    folders: Folders,
    burst: Burst,
    /// Sockets, pipes and devices that were seen, whose end is no change either.
    special: HashSet<PathBuf>,
    /// Whether all this is to end; asked where something takes long.
    is_over: E,
}

impl<E: Fn() -> bool> Watching<E> {
    /// `own` are the files that this process writes itself. Nothing is watched yet.
    pub(super) fn new(places: Vec<PathBuf>, own: Arc<[PathBuf]>, folders: Folders, is_over: E) -> Self {
        let place = |path: PathBuf| Place { rules: Rules::new(&path, own.clone()), path };
        Self {
            here: std::env::current_dir().ok(),
            places: places.into_iter().map(place).collect(),
            folders,
            burst: Burst::default(),
            special: HashSet::new(),
            is_over,
        }
    }

    /// Watches all there is.
    pub(super) fn begin(&mut self) {
        for place in 0..self.places.len() {
            let path = self.places[place].path.clone();
            self.cover(&path);
            let told = shown(&path, self.here.as_deref());
            if path.is_dir() {
                let count = self.walk(place, &path, None);
                log::info!(
                    "watch: watching {told} ({count} {})",
                    if count == 1 { "folder" } else { "folders" }
                );
            } else {
                log::info!("watch: watching {told}");
            }
        }
    }

    /// When there is something to tell.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.burst.ends_at()
    }

    /// What has changed, if anything has after all.
    pub(super) fn take(&mut self) -> Option<Changed> {
        let changes = self.changes();
        let path = shown(&changes.first()?.path, self.here.as_deref());
        Some(Changed { path, others: changes.len() - 1 })
    }

    /// The changes of the burst, without files that came and went.
    fn changes(&mut self) -> Vec<Change> {
        let mut changes = self.burst.take();
        changes.retain(|change| !change.is_new || change.path.symlink_metadata().is_ok());
        changes
    }

    /// Takes in what the kernel tells.
    pub(super) fn on_told(&mut self, now: Instant, told: Told) {
        let event = match told {
            Ok(event) => event,
            Err(error) => {
                let place = error.paths.first().cloned().unwrap_or_default();
                return self.folders.complain(&place, &error);
            }
        };
        if event.need_rescan() {
            log::debug!("watch: more has changed at a time than the kernel tells of; all is looked at anew");
            for place in 0..self.places.len() {
                self.look_anew(now, place);
                self.burst.note(now, self.places[place].path.clone(), false);
            }
            return;
        }
        let Some(fact) = Fact::of(event.kind) else { return };
        for path in event.paths {
            for place in 0..self.places.len() {
                let whole = &self.places[place].path;
                if fact.moves() && whole.starts_with(&path) {
                    // It, or a folder above it, is not what it was.
                    self.folders.forget(&path);
                    self.look_anew(now, place);
                } else if path.starts_with(whole) {
                    self.on_fact(now, place, fact, &path);
                }
            }
        }
    }

    /// Something has happened to this path, which is in the place.
    fn on_fact(&mut self, now: Instant, place: usize, fact: Fact, path: &Path) {
        let rules = &mut self.places[place].rules;
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                if fact.moves() && !rules.exclude(path, true) {
                    self.walk(place, path, Some(now));
                }
                return;
            }
            Ok(found) if is_special(found.file_type()) => {
                self.special.insert(path.to_owned());
                return;
            }
            Ok(found) if fact == Fact::Marked && !is_touched(&found) => return,
            Ok(_) if rules.exclude(path, false) => return,
            Ok(_) => {
                self.special.remove(path);
            }
            // What was in a folder is told of one by one; and of a file that is gone the end is told, too.
            Err(_) if fact == Fact::FolderGone || !fact.moves() => return,
            // Whether it was a folder is not known any more.
            Err(_)
                if self.special.remove(path) || rules.exclude(path, false) || rules.exclude(path, true) =>
            {
                return;
            }
            Err(_) => {}
        }
        self.burst.note(now, path.to_owned(), fact == Fact::Made);
        if path.file_name().is_some_and(names::is_of_rules) {
            self.places[place].rules.read_anew();
            let whole = self.places[place].path.clone();
            self.walk(place, &whole, None);
        }
    }

    /// The place itself, or what is above it, has come, gone or been replaced.
    fn look_anew(&mut self, now: Instant, place: usize) {
        let path = self.places[place].path.clone();
        self.cover(&path);
        self.places[place].rules.read_anew();
        if path.is_dir() {
            self.walk(place, &path, Some(now));
        } else {
            self.burst.note(now, path, false);
        }
    }

    /// Watches the folder in which this path is, or will be; or the nearest above that is there.
    fn cover(&mut self, path: &Path) {
        let mut watched = None;
        // While one is being watched the next may come: there is none left once the nearest is the same again.
        while let Some(folder) = path.ancestors().skip(1).find(|folder| folder.is_dir()) {
            if watched == Some(folder) || !self.folders.add(folder) {
                return;
            }
            watched = Some(folder);
        }
    }

    /// Watches this folder and all below it that count; returns how many. With a time, the files in them have come now.
    fn walk(&mut self, place: usize, folder: &Path, now: Option<Instant>) -> usize {
        let (mut count, mut has_room) = (0, true);
        for entry in self.places[place].rules.walk(folder) {
            if (self.is_over)() {
                break;
            }
            // What cannot be read is no file of the program's, or has gone again.
            let Ok(entry) = entry else { continue };
            let kind = entry.file_type();
            if entry.depth() == 0 || kind.is_some_and(|kind| kind.is_dir()) {
                // Before its entries are read: what comes later is told.
                has_room = has_room && self.folders.add(entry.path());
                count += usize::from(has_room);
                if !has_room && now.is_none() {
                    break;
                }
            } else if kind.is_some_and(is_special) {
                self.special.insert(entry.into_path());
            } else if let Some(now) = now {
                self.burst.note(now, entry.into_path(), true);
            }
        }
        count
    }
}

#[cfg(test)]
mod tests;
