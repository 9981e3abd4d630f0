//! What a process was started with: its environment and its command line, as its memory shows them. Each is read by one call,
//! never in pieces: while a process executes another program the kernel ends a reading that has begun, as if it were complete.

use super::file_user;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

/// Bytes of a first reading, which hold most environments.
const USUAL: usize = 1 << 15;
/// The kernel lets a program be started with so much at most (`bprm_stack_limits` in fs/exec.c: three quarters of 8 MiB).
const LARGEST: usize = 8 << 20;

/// The environment that the process was given, as far as it shows it: empty if it is gone, hidden or about to execute
/// another program.
pub(in crate::io) fn environment(pid: u32) -> Vec<u8> {
    read(&format!("/proc/{pid}/environ"))
}

/// The words of its command, each with a NUL behind it; empty as the environment is.
pub(in crate::io) fn command_line(pid: u32) -> Vec<u8> {
    read(&format!("/proc/{pid}/cmdline"))
}

fn read(path: &str) -> Vec<u8> {
    open(path).and_then(|file| whole(|buffer| file.read_at(buffer, 0))).unwrap_or_default()
}

/// Of another user's process also where root may not look into it, as in a container without CAP_SYS_PTRACE: as that user.
fn open(path: &str) -> io::Result<File> {
    let refused = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => error,
        other => return other,
    };
    let owner = std::fs::metadata(path)?;
    if owner.uid() == nix::unistd::geteuid().as_raw() {
        return Err(refused);
    }
    file_user::on_a_thread(|| {
        file_user::take(owner.uid(), owner.gid())?;
        File::open(path)
    })
}

/// All of it by one call, with as much room as that takes.
fn whole(mut from_start: impl FnMut(&mut [u8]) -> io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; USUAL];
    loop {
        let read = from_start(&mut buffer)?;
        if read < buffer.len() || read >= LARGEST {
            buffer.truncate(read);
            return Ok(buffer);
        }
        buffer.resize(buffer.len() * 4, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_begins_anew_is_whole_or_empty() {
        // Each reading is of the process as it was, until it executes another program: then the old memory is gone.
        let memory = vec![b'x'; USUAL + 1];
        for lives_for in 0..3 {
            let mut calls = 0;
            let found = whole(|buffer| {
                calls += 1;
                let left = if calls > lives_for { &[][..] } else { &memory };
                let read = left.len().min(buffer.len());
                buffer[..read].copy_from_slice(&left[..read]);
                Ok(read)
            });
            let expected = if lives_for < 2 { 0 } else { memory.len() };
            assert_eq!(found.unwrap().len(), expected, "{lives_for}");
        }
    }

    #[test]
    fn shows_how_this_process_was_started() {
        let pid = std::process::id();
        let mut words = Vec::new();
        for word in std::env::args_os() {
            words.extend_from_slice(word.as_encoded_bytes());
            words.push(0);
        }
        assert_eq!(command_line(pid), words);
        let (name, value) = std::env::vars().next().unwrap();
        let entry = format!("{name}={value}").into_bytes();
        assert!(environment(pid).split(|byte| *byte == 0).any(|one| one == entry));
    }

    #[test]
    fn a_large_environment_is_whole() {
        use std::process::{Command, Stdio};
        let large = "x".repeat(100_000);
        #[expect(clippy::disallowed_methods, reason = "a process of this test alone")]
        let mut command = Command::new("sleep");
        let mut child =
            command.arg("100").env_clear().env("LARGE", &large).stdout(Stdio::null()).spawn().unwrap();
        // It is this process's copy until it has executed the other program.
        let found = loop {
            let found = environment(child.id());
            if found.starts_with(b"LARGE=") {
                break found;
            }
            std::thread::yield_now();
        };
        assert_eq!(found.len(), "LARGE=\0".len() + large.len());
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
