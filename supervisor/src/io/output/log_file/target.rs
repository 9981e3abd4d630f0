//! Writes to the file of the log, in the thread of a `LineWriter`: rotates it before it grows too large, and survives a full disk. What is lost
//! then is counted, and told once it can be written again.

use super::rotation::Rotation;
use super::{condition, place};
use crate::io::output::line_writer::target::{Patience, Target};
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use nix::unistd::{ftruncate, write};
use std::io::{self, Stderr};
use std::os::fd::AsFd;

#[derive(Debug)]
pub(in crate::io::output) struct FileTarget<F> {
    /// Leads to the file that has the place now.
    file: F,
    rotation: Option<Rotation>,
    /// The last line that was written has no end.
    torn: bool,
}

impl FileTarget<Stderr> {
    /// The file of `--log`, by this process's stderr.
    pub(in crate::io::output) fn of_process() -> io::Result<Self> {
        Ok(Self::new(io::stderr(), place::rotation()?))
    }
}

impl<F: AsFd> FileTarget<F> {
    fn new(file: F, rotation: Option<Rotation>) -> Self {
        Self { file, rotation, torn: false }
    }

    /// Writes whole lines: as many to one file as it may hold.
    fn write_all(&mut self, mut lines: &[u8]) -> Result<(), Errno> {
        while let Some(rotation) = &mut self.rotation {
            let (piece, rest) = lines.split_at(rotation.fitting(lines));
            rotation.before(piece.len());
            self.write(piece)?;
            lines = rest;
            if lines.is_empty() {
                return Ok(());
            }
        }
        self.write(lines)
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match write(&self.file, bytes) {
                Ok(0) => return Err(Errno::ENOSPC),
                Ok(written) => {
                    self.torn = bytes.get(written.saturating_sub(1)) != Some(&b'\n');
                    bytes = bytes.get(written..).unwrap_or_default();
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

impl<F: AsFd + Send + 'static> Target for FileTarget<F> {
    fn put(&mut self, lines: &[u8], count: u64, _: &Patience<'_>) -> u64 {
        // Half a line of before is not to run into this one.
        let written = if self.torn { self.write(b"\n") } else { Ok(()) };
        let failure = written.and_then(|()| self.write_all(lines)).err();
        condition::tell(failure.map(|errno| (errno.desc(), count)));
        if failure.is_some() { count } else { 0 }
    }

    fn empty(&mut self) -> io::Result<()> {
        let status = nix::sys::stat::fstat(&self.file)?;
        if SFlag::from_bits_truncate(status.st_mode & SFlag::S_IFMT.bits()) != SFlag::S_IFREG {
            return Err(io::Error::other("it is no file"));
        }
        self.torn = false;
        // It is written at its end, wherever that is.
        Ok(ftruncate(&self.file, 0)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::fs::File;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn half_a_line_is_ended_before_the_next() {
        let scratch = Scratch::new();
        let path = scratch.path().join("log");
        let mut target =
            FileTarget::new(File::options().append(true).create(true).open(&path).unwrap(), None);
        let orphaned = AtomicBool::new(false);
        let mut put = |lines: &[u8]| target.put(lines, 1, &Patience::new(&orphaned));
        assert_eq!(put(b"one\nhal"), 0);
        assert_eq!(put(b"two\n"), 0);
        assert_eq!(std::fs::read(&path).unwrap(), b"one\nhal\ntwo\n");
        target.empty().unwrap();
        target.put(b"three\n", 1, &Patience::new(&orphaned));
        assert_eq!(std::fs::read(&path).unwrap(), b"three\n");
    }

    #[test]
    fn a_full_disk_loses_lines_and_nothing_else() {
        let full = File::options().append(true).open("/dev/full").unwrap();
        let mut target = FileTarget::new(full, None);
        let orphaned = AtomicBool::new(false);
        assert_eq!(target.put(b"one\ntwo\n", 2, &Patience::new(&orphaned)), 2);
        assert!(target.empty().is_err());
    }
}
