//! Reads the address of a `bind` that waits from the memory of its program, each on a thread of its own: a page can be made to never
//! come, and then that thread waits until the program has ended, and nobody else. It judges nothing that it reads.

use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;
use std::io::{self, IoSliceMut};
use std::sync::Arc;
use std::thread;

/// The longest address of any family that the kernel takes, in bytes (`struct sockaddr_storage`).
const LONGEST: usize = 128;
/// These threads call little.
const STACK: usize = 128 * 1024;

/// Where an address lies: in the memory of the thread's process, as its call says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: u64,
    /// In bytes.
    pub(crate) len: usize,
}

/// An address that was asked for by this number, as the kernel's `sockaddr`.
pub(crate) type Read = (u64, io::Result<Vec<u8>>);

/// Starts the threads, and has their answers.
#[derive(Debug)]
pub(crate) struct AddressReader {
    waker: Arc<Waker>,
    done: Sender<Read>,
    answers: Receiver<Read>,
}

impl AddressReader {
    /// The loop is woken after each answer.
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        let (done, answers) = unbounded();
        Self { waker, done, answers }
    }

    /// Reads once, which `next` tells under this number. What it tells counts only if the call still waits then. Fails if there can be no
    /// thread, or no address has that length.
    pub(crate) fn ask(&self, number: u64, tid: u32, place: Place) -> io::Result<()> {
        if place.len > LONGEST {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (done, waker) = (self.done.clone(), self.waker.clone());
        let thread = thread::Builder::new().name("bind address".into()).stack_size(STACK);
        thread.spawn(move || {
            if done.send((number, read(tid, place))).is_ok() {
                // It fails only where the loop is over.
                let _ = waker.wake();
            }
        })?;
        Ok(())
    }

    /// An answer.
    pub(crate) fn next(&self) -> Option<Read> {
        self.answers.try_recv().ok()
    }
}

fn read(tid: u32, place: Place) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; place.len];
    let base = usize::try_from(place.start).map_err(|_| io::ErrorKind::InvalidInput)?;
    let remote = [RemoteIoVec { base, len: place.len }];
    let read = process_vm_readv(Pid::from_raw(tid as i32), &mut [IoSliceMut::new(&mut bytes)], &remote)?;
    // A part of an address is none.
    if read == place.len { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    #[test]
    fn each_address_is_told_once_and_wakes_the_loop() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(1)).unwrap());
        let reader = AddressReader::new(waker);
        let address = *b"an address of sixteen";
        let own = std::process::id();
        let place = |len| Place { start: address.as_ptr() as u64, len };
        assert_eq!(reader.ask(1, own, place(129)).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        reader.ask(2, own, place(10)).unwrap();
        reader.ask(3, own, Place { start: 8, len: 16 }).unwrap();
        reader.ask(4, u32::MAX >> 2, place(16)).unwrap();
        let mut answers = Vec::new();
        while answers.len() < 3 {
            let mut events = Events::with_capacity(1);
            poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
            assert!(!events.is_empty(), "nobody wakes the loop");
            answers.extend(std::iter::from_fn(|| reader.next()));
        }
        answers.sort_by_key(|(number, _)| *number);
        let errno = |answer: &Read| answer.1.as_ref().unwrap_err().raw_os_error();
        assert!(answers[0].0 == 2 && answers[0].1.as_ref().unwrap() == b"an address");
        assert_eq!((answers[1].0, errno(&answers[1])), (3, Some(libc::EFAULT)), "nothing is there");
        assert_eq!((answers[2].0, errno(&answers[2])), (4, Some(libc::ESRCH)), "nobody is there");
        assert!(reader.next().is_none());
    }
}
