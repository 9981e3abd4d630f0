//! The file of a cluster's log: its last lines, and what is appended, also after the file was moved away or cut. It is opened for reading
//! only, and what it holds is shown, never obeyed.

use super::wanted::{Wanted, shown, time_of};
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::io::events::interrupt::{self, Woken};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is looked for what was appended.
const LOOK: Duration = Duration::from_millis(200);
/// So much is read at a time from the end to the beginning.
const BLOCK: u64 = 64 * 1024;
/// What is shown of one line, in bytes; and of one without an end so much is taken for a line.
const LONGEST: u64 = 64 * 1024;

#[derive(Debug)]
pub(in crate::cli) struct LogFile {
    path: PathBuf,
    file: BufReader<File>,
    /// The time of the last line that had one: a worker's own line after it was written then, or later.
    time: Option<String>,
    /// A line of which the end is not written yet.
    begun: Vec<u8>,
}

impl LogFile {
    /// `None` of what is no file that can be read from its end, such as a terminal or a pipe.
    pub(in crate::cli) fn open(path: impl AsRef<Path>) -> Option<Self> {
        let file = File::open(&path).ok().filter(|file| file.metadata().is_ok_and(|data| data.is_file()))?;
        Some(Self {
            path: path.as_ref().to_owned(),
            file: BufReader::new(file),
            time: None,
            begun: Vec::new(),
        })
    }

    /// Prints the last so many lines that are wanted.
    pub(in crate::cli) fn last(&mut self, wanted: &Wanted, count: usize) -> Result<(), Failed> {
        let start = if wanted.is_all() { self.start_of_last(count) } else { Ok(0) };
        start
            .and_then(|start| self.file.seek(SeekFrom::Start(start)))
            .map_err(|error| self.failed(&error))?;
        let mut last = VecDeque::new();
        while let Some(line) = self.next().map_err(|error| self.failed(&error))? {
            if self.is_wanted(wanted, &line) {
                last.push_back(line);
            }
            if last.len() > count {
                last.pop_front();
            }
        }
        last.iter().try_for_each(|line| print(line))
    }

    /// Prints what is appended, until the supervisor hangs up.
    pub(in crate::cli) fn follow(
        mut self,
        wanted: &Wanted,
        supervisor: BorrowedFd<'_>,
    ) -> Result<(), Failed> {
        loop {
            let woken = interrupt::wait(supervisor, None, Some(LOOK)).map_err(|error| self.failed(&error))?;
            self.show_new(wanted)?;
            if let Some(mut fresh) = self.replaced().map_err(|error| self.failed(&error))? {
                fresh.show_new(wanted)?;
                self = fresh;
            }
            if woken == Woken::Readable {
                return Ok(());
            }
        }
    }

    fn show_new(&mut self, wanted: &Wanted) -> Result<(), Failed> {
        while let Some(line) = self.next().map_err(|error| self.failed(&error))? {
            if self.is_wanted(wanted, &line) {
                print(&line)?;
            }
        }
        Ok(())
    }

    /// The file that has its place now, from its beginning; `None` as long as it is the same and has not been cut.
    fn replaced(&mut self) -> io::Result<Option<Self>> {
        let Some(now) = Self::open(&self.path) else { return Ok(None) };
        let (own, other) = (self.file.get_ref().metadata()?, now.file.get_ref().metadata()?);
        let is_same = (own.dev(), own.ino()) == (other.dev(), other.ino());
        let was_cut = is_same && other.len() < self.file.stream_position()?;
        Ok((!is_same || was_cut).then_some(now))
    }

    /// The next whole line, without its end.
    fn next(&mut self) -> io::Result<Option<String>> {
        let room = LONGEST - (self.begun.len() as u64).min(LONGEST - 1);
        self.file.by_ref().take(room).read_until(b'\n', &mut self.begun)?;
        let is_whole = self.begun.last() == Some(&b'\n') || self.begun.len() as u64 >= LONGEST;
        if !is_whole {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.begun);
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }

    fn is_wanted(&mut self, wanted: &Wanted, line: &str) -> bool {
        if let Some(time) = time_of(line) {
            self.time = Some(time.to_owned());
        }
        wanted.is(self.time.as_deref(), line)
    }

    /// Where the last so many lines begin.
    fn start_of_last(&mut self, count: usize) -> io::Result<u64> {
        let file = self.file.get_mut();
        let mut start = file.seek(SeekFrom::End(0))?;
        // The end of the last line is none between lines.
        let mut ends = count.saturating_add(1);
        let mut block = Vec::new();
        while start > 0 {
            let len = start.min(BLOCK);
            start -= len;
            file.seek(SeekFrom::Start(start))?;
            block.clear();
            file.take(len).read_to_end(&mut block)?;
            for (place, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
                ends -= 1;
                if ends == 0 {
                    return Ok(start + place as u64 + 1);
                }
            }
        }
        Ok(0)
    }

    fn failed(&self, error: &io::Error) -> Failed {
        Failed::new(1, format!("the log {} cannot be read: {error}", self.path.display()))
    }
}

fn print(line: &str) -> Result<(), Failed> {
    out::print(&format!("{}\n", shown(line)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn texts(file: &mut LogFile) -> Vec<String> {
        std::iter::from_fn(|| file.next().unwrap()).collect()
    }

    fn last(file: &mut LogFile, count: usize) -> Vec<String> {
        let start = file.start_of_last(count).unwrap();
        file.file.seek(SeekFrom::Start(start)).unwrap();
        texts(file)
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let directory = crate::io::scratch::Scratch::new();
        let path = directory.path().join("log");
        let mut text = String::new();
        for number in 0..20_000 {
            text.push_str(&format!("line {number}\n"));
        }
        std::fs::write(&path, &text).unwrap();
        let mut file = LogFile::open(&path).unwrap();
        assert_eq!(last(&mut file, 2), ["line 19998", "line 19999"]);
        assert_eq!(last(&mut file, 0), [""; 0]);
        assert_eq!(last(&mut file, 15_000).first().unwrap(), "line 5000");
        assert_eq!(last(&mut file, usize::MAX).len(), 20_000);
        assert!(LogFile::open("/dev/null").is_none() && LogFile::open(directory.path()).is_none());
    }

    #[test]
    fn what_is_appended_comes_whole_and_after_a_change_of_files() {
        let directory = crate::io::scratch::Scratch::new();
        let path = directory.path().join("log");
        let mut writer = File::create(&path).unwrap();
        let mut file = LogFile::open(&path).unwrap();
        writer.write_all(b"one\nha").unwrap();
        assert_eq!(texts(&mut file), ["one"]);
        writer.write_all(b"lf\n").unwrap();
        assert_eq!(texts(&mut file), ["half"]);
        assert!(file.replaced().unwrap().is_none());
        // Moved away, and another in its place.
        std::fs::rename(&path, directory.path().join("log.1")).unwrap();
        assert!(file.replaced().unwrap().is_none(), "there is none yet");
        std::fs::write(&path, "two\n").unwrap();
        let mut file = file.replaced().unwrap().unwrap();
        assert_eq!(texts(&mut file), ["two"]);
        // Cut, as by copytruncate.
        std::fs::write(&path, "3\n").unwrap();
        let mut file = file.replaced().unwrap().unwrap();
        assert_eq!(texts(&mut file), ["3"]);
        // Without an end it is a line at some time.
        std::fs::write(&path, vec![b'x'; 200_000]).unwrap();
        let mut file = LogFile::open(&path).unwrap();
        assert_eq!(texts(&mut file).iter().map(String::len).collect::<Vec<_>>(), [65_536; 3]);
    }
}
