//! Files of the log that are full: how they are called, which are kept, and that they are compressed. It works in a thread of its own, and
//! touches only files of this user whose names it has made.

use super::folder::Folder;
use crate::io::output::line_writer::start_quietly;
use crate::io::output::stamp;
use crossbeam_channel::{Sender, bounded};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

const COMPRESSED: &[u8] = b".gz";
/// What is being compressed; where it was interrupted this is left.
const UNFINISHED: &[u8] = b".gz.part";
/// As names have it: sorted by name they are sorted by age.
const SHAPE: &[u8] = b"00000000T000000.000Z";

/// What becomes of full files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keeping {
    /// So many are kept, the newest.
    pub(crate) count: u32,
    pub(crate) compressed: bool,
}

/// The name for a file that was full at this time, in milliseconds since the Unix epoch: `web.log.20260102T030405.678Z`.
pub(super) fn name(log: &OsStr, ms: u64) -> OsString {
    let mut name = log.to_owned();
    name.push(".");
    name.push(stamp::of(ms).replace(['-', ':'], ""));
    name
}

/// The time in such a name, and what stands behind it; `None` of every other name.
fn parts<'a>(log: &OsStr, name: &'a OsStr) -> Option<(&'a [u8], &'a [u8])> {
    let rest = name.as_bytes().strip_prefix(log.as_bytes())?.strip_prefix(b".")?;
    let (time, end) = rest.split_at_checked(SHAPE.len())?;
    let fits = |(own, shape): (&u8, &u8)| if *shape == b'0' { own.is_ascii_digit() } else { own == shape };
    std::iter::zip(time, SHAPE).all(fits).then_some((time, end))
}

/// The thread, to be told each time a file is full.
#[derive(Debug)]
pub(super) struct Keeper(Sender<()>);

impl Keeper {
    pub(super) fn start(path: PathBuf, keeping: Keeping) -> io::Result<Self> {
        let (tell, told) = bounded(1);
        start_quietly("log files", move || {
            step_back();
            while told.recv().is_ok() {
                if let Err(error) = keep(&path, keeping) {
                    log::warn!("older files of the log {} cannot be kept in order: {error}", path.display());
                }
            }
        })?;
        Ok(Self(tell))
    }

    /// Never waits: who is at it looks at all files, and then once more.
    pub(super) fn tell(&self) {
        let _ = self.0.try_send(());
    }
}

/// Compressing is to take nothing from those who serve.
fn step_back() {
    // SAFETY: it has no memory; 0 is this thread.
    unsafe { nix::libc::setpriority(nix::libc::PRIO_PROCESS, 0, 19) };
}

/// Removes those that are too many, and compresses the others.
fn keep(path: &Path, keeping: Keeping) -> io::Result<()> {
    let (folder, log) = Folder::of(path)?;
    let is = |name: &OsStr, ends: &[&[u8]]| parts(&log, name).is_some_and(|(_, end)| ends.contains(&end));
    for left in folder.files(|name| is(name, &[UNFINISHED]))? {
        folder.remove(&left)?;
    }
    let mut files = folder.files(|name| is(name, &[b"", COMPRESSED]))?;
    // The longer name of the same time is the finished one of a file that was not removed yet.
    files.sort();
    let too_many = files.len().saturating_sub(keeping.count as usize);
    for oldest in files.drain(..too_many) {
        folder.remove(&oldest)?;
    }
    for name in files.iter().filter(|name| keeping.compressed && is(name, &[b""])) {
        let finished = ended(name, COMPRESSED);
        // That one was whole before it got its name.
        if files.contains(&finished) {
            folder.remove(name)?;
        } else {
            compress(&folder, name, &finished)?;
        }
    }
    Ok(())
}

/// Puts a compressed file in the place of this one; if the machine stops meanwhile, one of them is whole.
fn compress(folder: &Folder, name: &OsStr, compressed: &OsStr) -> io::Result<()> {
    let unfinished = ended(name, UNFINISHED);
    let mut from = folder.read(name)?;
    let to = folder.create(&unfinished)?;
    let written = (|| {
        let mut encoder = GzEncoder::new(to, Compression::default());
        io::copy(&mut from, &mut encoder)?;
        let to = encoder.finish()?;
        let status = from.metadata()?;
        // Only root can give a file to another group that it is not in.
        let _ = fchown(&to, None, Some(status.gid()));
        to.set_permissions(std::fs::Permissions::from_mode(status.mode() & 0o666))?;
        to.sync_all()?;
        folder.rename(&unfinished, compressed)
    })();
    if written.is_err() {
        let _ = folder.remove(&unfinished);
    }
    written?;
    folder.remove(name)
}

fn ended(name: &OsStr, end: &[u8]) -> OsString {
    OsString::from_vec([name.as_bytes(), end].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::io::Read;
    use std::os::unix::fs::symlink;

    fn names(scratch: &Scratch) -> Vec<String> {
        let entries = std::fs::read_dir(scratch.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn names_tell_the_time_and_nothing_else_is_one() {
        let log = OsStr::new("web.log");
        let made = name(log, 1_767_323_045_678);
        assert_eq!(made, "web.log.20260102T030405.678Z");
        assert_eq!(parts(log, &made), Some((&b"20260102T030405.678Z"[..], &b""[..])));
        for other in ["web.log", "web.log.1", "web.log.20260102T030405.67Z", "other.log.20260102T030405.678Z"]
        {
            assert_eq!(parts(log, OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn the_newest_are_kept_and_compressed() {
        let scratch = Scratch::new();
        for (ms, text) in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] {
            scratch.file(name(OsStr::new("log"), ms).to_str().unwrap(), text, 0o640);
        }
        scratch.file("log", "now", 0o640);
        scratch.file("log.1", "somebody else's", 0o640);
        scratch.file("log.19700101T000000.003Z.gz.part", "interrupted", 0o600);
        // What another user could lay there: it neither counts nor is followed.
        symlink(scratch.path().join("log.1"), scratch.path().join("log.20990101T000000.000Z")).unwrap();
        keep(&scratch.path().join("log"), Keeping { count: 2, compressed: true }).unwrap();
        let expected = [
            "log",
            "log.1",
            "log.19700101T000000.003Z.gz",
            "log.19700101T000000.004Z.gz",
            "log.20990101T000000.000Z",
        ];
        assert_eq!(names(&scratch), expected);
        let file = std::fs::File::open(scratch.path().join(expected[3])).unwrap();
        assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o640);
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "four");
        // It was stopped before the other was removed.
        scratch.file("log.19700101T000000.004Z", "four", 0o640);
        keep(&scratch.path().join("log"), Keeping { count: 3, compressed: true }).unwrap();
        assert_eq!(names(&scratch), expected);
        // Again nothing is left to do; none at all can be kept.
        keep(&scratch.path().join("log"), Keeping { count: 2, compressed: false }).unwrap();
        assert_eq!(names(&scratch), expected);
        keep(&scratch.path().join("log"), Keeping { count: 0, compressed: false }).unwrap();
        assert_eq!(names(&scratch), ["log", "log.1", "log.20990101T000000.000Z"]);
    }
}
