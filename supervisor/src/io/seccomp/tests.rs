//! A thread that puts the filter on, and the calls that it makes: of a thread the filter is its own.

use super::filter::{Installed, Way};
use super::notifier::{Call, Kind, Next, Notifier};
use super::target::Target;
use crate::io::kernel::sockopt::own_address;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};

/// The thread, where its calls are answered, and who it is.
struct Filtered {
    notifier: Notifier,
    listens: JoinHandle<io::Result<TcpListener>>,
    tid: u32,
    go_on: std::sync::mpsc::Sender<()>,
}

/// Listens on any port of the loopback once it is told to.
fn listens_with_filter() -> Filtered {
    let (ours, theirs) = Way::open().unwrap().split();
    let (tell, told): (_, Receiver<u32>) = channel();
    let (go_on, goes_on) = channel();
    let listens = thread::spawn(move || {
        theirs.install().unwrap();
        tell.send(nix::unistd::gettid().as_raw() as u32).unwrap();
        goes_on.recv().unwrap();
        TcpListener::bind("127.0.0.1:0")
    });
    let tid = told.recv().unwrap();
    let Installed { notifier, terms } = ours.take().unwrap();
    let nnp = nix::sys::prctl::get_no_new_privs().unwrap();
    assert!(!terms.no_new_privs || !nnp, "it was set for this thread alone");
    Filtered { notifier: Notifier::new(notifier), listens, tid, go_on }
}

impl Filtered {
    fn call(&self) -> Call {
        loop {
            match self.notifier.next() {
                Next::Call(call) => return call,
                Next::Nothing => thread::yield_now(),
                Next::Over => panic!("the thread has ended: {:?}", self.listens.is_finished()),
            }
        }
    }
}

#[test]
fn nothing_is_read_where_nothing_waits() {
    let thread = listens_with_filter();
    assert_eq!(thread.notifier.next(), Next::Nothing);
    thread.go_on.send(()).unwrap();
    for _ in 0..2 {
        let call = thread.call();
        thread.notifier.proceed(&call);
    }
    assert!(thread.listens.join().unwrap().is_ok());
    while thread.notifier.next() != Next::Over {
        thread::yield_now();
    }
}

#[test]
fn another_socket_takes_the_place_of_the_one_that_was_to_listen() {
    let thread = listens_with_filter();
    thread.go_on.send(()).unwrap();
    let bind = thread.call();
    assert_eq!(bind.tid, thread.tid);
    assert!(matches!(bind.kind, Kind::Bind(place) if place.len == 16 && place.start != 0), "{bind:?}");
    let target = Target::of(bind.tid).unwrap();
    assert_eq!(target.pid, std::process::id());
    let own = target.socket(bind.fd).unwrap();
    assert!(thread.notifier.is_waiting(&bind) && target.closes_on_exec(bind.fd));
    assert_eq!(own_address(own.as_fd()).unwrap().port(), Some(0));
    thread.notifier.proceed(&bind);
    let listen = thread.call();
    assert!(!thread.notifier.is_waiting(&bind), "it has been answered");
    assert!(matches!(listen.kind, Kind::Listen { backlog } if backlog > 0 || backlog == -1), "{listen:?}");
    assert_eq!(listen.fd, bind.fd);
    assert_ne!(own_address(own.as_fd()).unwrap().port(), Some(0), "the kernel has bound it");
    let shared = TcpListener::bind("127.0.0.1:0").unwrap();
    thread.notifier.put(&listen, shared.as_fd(), true).unwrap();
    thread.notifier.succeed(&listen);
    let got = thread.listens.join().unwrap().unwrap();
    assert_eq!(got.local_addr().unwrap(), shared.local_addr().unwrap());
    assert_eq!(got.as_raw_fd(), listen.fd);
    // SAFETY: asks for flags only.
    assert_eq!(unsafe { libc::fcntl(got.as_raw_fd(), libc::F_GETFD) } & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}

#[test]
fn a_call_that_fails_has_the_error_that_it_is_given() {
    let thread = listens_with_filter();
    thread.go_on.send(()).unwrap();
    thread.notifier.fail(&thread.call(), libc::EADDRINUSE);
    assert_eq!(thread.listens.join().unwrap().unwrap_err().kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn without_anybody_to_answer_the_call_fails() {
    let thread = listens_with_filter();
    thread.go_on.send(()).unwrap();
    thread.call();
    drop(thread.notifier);
    assert_eq!(thread.listens.join().unwrap().unwrap_err().raw_os_error(), Some(libc::ENOSYS));
}

#[test]
fn who_is_not_there_is_no_target() {
    assert!(Target::of(0).is_err());
    assert!(Target::of(u32::MAX).is_err());
}
