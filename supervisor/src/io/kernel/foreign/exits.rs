//! Closes a descriptor without waiting for what lingers in it: the kernel does not wait for a socket with SO_LINGER that
//! an *exiting* thread closes. So the last copy of it is that of a thread with a table of descriptors of its own, and this
//! thread ends. Where tables cannot be separated the descriptor is closed plainly, and its closing thread waits.

use super::super::{descriptors, scm};
use super::STACK;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::{io, thread};

/// So many are closed by one exit.
const BATCH: usize = 64;
/// `close_range` with this flag gives the calling thread a table of its own first; since Linux 5.9.
const CLOSE_RANGE_UNSHARE: libc::c_uint = 2;

/// The way to the thread that has a table of its own; that thread ends once it is closed.
type Way = Option<Arc<OwnedFd>>;

/// `None` while nobody has tried, `Some(None)` where tables cannot be separated.
static WAY: Mutex<Option<Way>> = Mutex::new(None);

fn way() -> MutexGuard<'static, Option<Way>> {
    // Nothing in here can be left half done.
    WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the thread that has a table of its own: a host program in which no cluster is left has no thread of ours. Called
/// while nobody closes anything.
pub(super) fn end() {
    *way() = None;
}

/// Closes it. May block only where a file's own close does, or where this kernel lets no thread have its own table.
pub(super) fn close(fd: OwnedFd) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_ne_bytes();
    let way = way().get_or_insert_with(|| open().ok().map(Arc::new)).clone();
    // With a copy under way this one is not the last, and its close waits for nothing that lingers.
    let copied = way.as_ref().filter(|way| send(way.as_fd(), &number, Some(fd.as_fd())).is_ok());
    drop(fd);
    if let Some(way) = copied {
        // Now the copy is the last.
        let _ = send(way.as_fd(), &number, None);
    }
}

fn open() -> io::Result<OwnedFd> {
    let (way, end) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let (told, separated) = mpsc::channel();
    let number = end.as_raw_fd();
    // The descriptor's number is this thread's in the shared table, and the other's in its own.
    let keeper = move || {
        let done = separate_keeping(number);
        let is_separate = done.is_ok();
        let _ = told.send(done);
        if is_separate {
            serve(number);
        }
    };
    thread::Builder::new().name("clm-exits".to_owned()).stack_size(STACK).spawn(keeper)?;
    separated.recv().map_err(|_| io::ErrorKind::BrokenPipe)??;
    // Here it is closed; the other thread has its own.
    drop(end);
    Ok(way)
}

/// Gives the calling thread a table of descriptors of its own, with nothing in it but this one.
fn separate_keeping(number: i32) -> io::Result<()> {
    let number = number.unsigned_abs();
    separate_from(number + 1)?;
    if number > 0 {
        close_range(0, number - 1, 0).or_else(|_| close_each(0, number - 1))?;
    }
    Ok(())
}

/// A table of its own for the calling thread, without what is numbered `from` or higher.
fn separate_from(from: u32) -> io::Result<()> {
    close_range(from, u32::MAX, CLOSE_RANGE_UNSHARE).or_else(|_| {
        // SAFETY: no memory is involved; threads of one process may have tables of their own.
        if unsafe { libc::unshare(libc::CLONE_FILES) } < 0 {
            return Err(io::Error::last_os_error());
        }
        let limit = u32::try_from(descriptors::limit()).unwrap_or(u32::MAX);
        close_each(from, limit.min(1 << 20))
    })
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: closes numbers in the table of the calling thread, which is its own then and in which nothing else is used.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The same, where the kernel does not know `close_range`; the table is the calling thread's own.
fn close_each(first: u32, last: u32) -> io::Result<()> {
    for number in first..=last {
        // SAFETY: the table is this thread's own, and no other thread's descriptors are in it.
        unsafe { libc::close(number as i32) };
    }
    Ok(())
}

/// Takes in what is to be closed, and has it closed by threads that end.
fn serve(number: i32) {
    // SAFETY: the caller kept this number in its own table and nothing else of this thread uses it.
    let end = unsafe { <OwnedFd as std::os::fd::FromRawFd>::from_raw_fd(number) };
    // Copies that are not known to be the last, by number, and those that are.
    let (mut early, mut last) = (HashMap::new(), Vec::new());
    loop {
        let mut number = [0; 8];
        match receive(end.as_fd(), &mut number, last.is_empty()) {
            Ok(Some(fd)) => {
                early.insert(number, fd);
            }
            Ok(None) => last.extend(early.remove(&number)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Nothing more is there now, or the process is at its end.
            Err(_) if last.is_empty() => return,
            Err(_) => close_by_exit(std::mem::take(&mut last)),
        }
        if last.len() >= BATCH {
            close_by_exit(std::mem::take(&mut last));
        }
    }
}

/// Sends a number and perhaps a descriptor; waits for room.
fn send(to: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
    loop {
        match scm::send(to, bytes, fd, 0) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Receives a descriptor; waits for one if that is wanted. An error at the end of the connection.
fn receive(from: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> io::Result<Option<OwnedFd>> {
    let mut fd = None;
    let flags = if wait { 0 } else { libc::MSG_DONTWAIT };
    let received = scm::receive(from, buffer, flags, |one| {
        fd.get_or_insert(one);
    })?;
    if received.len == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(fd)
}

/// Leaves the last copies of these to a thread that ends.
fn close_by_exit(held: Vec<OwnedFd>) {
    let (told, separated) = mpsc::channel();
    let (end, ends) = mpsc::channel::<()>();
    let last = move || {
        let _ = told.send(separate_from(u32::MAX).is_ok());
        // Until the other copies are closed.
        let _ = ends.recv();
    };
    let started = thread::Builder::new().name("clm-exit".to_owned()).stack_size(STACK).spawn(last);
    if started.is_ok() && separated.recv() == Ok(true) {
        drop(held);
        drop(end);
    }
}
