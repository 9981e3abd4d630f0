//! The user and the group by which the kernel judges what one thread does with files, and what it may see of processes. No other thread
//! changes, and nobody gets a right to send signals here.

use parking_lot::Mutex;
use std::io;

/// How many threads are at it, and whether other processes of this user might look into this one before: another user of one thread makes
/// the kernel forget that, for all of them.
static CHANGING: Mutex<(usize, bool)> = Mutex::new((0, false));

/// As long as one is there, what the kernel forgets is not restored. The last one does it.
struct Changing;

impl Changing {
    fn begin() -> Self {
        let mut changing = CHANGING.lock();
        if changing.0 == 0 {
            changing.1 = may_be_seen();
        }
        changing.0 += 1;
        Self
    }
}

impl Drop for Changing {
    fn drop(&mut self) {
        let mut changing = CHANGING.lock();
        changing.0 -= 1;
        if *changing == (0, true) {
            // SAFETY: no memory is involved.
            unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1) };
        }
    }
}

/// Does this on a thread of its own, which may change what it is: that ends with it.
pub(in crate::io) fn on_a_thread<T: Send>(act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let _changing = Changing::begin();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("view".into()).spawn_scoped(scope, act)?;
        thread.join().map_err(|_| io::Error::other("the thread has panicked"))?
    })
}

/// Those of the calling thread, for good: with its real or effective user a worker could send signals to it.
pub(in crate::io) fn take(uid: u32, gid: u32) -> io::Result<()> {
    let _changing = Changing::begin();
    [(libc::SYS_setfsgid, gid), (libc::SYS_setfsuid, uid)].into_iter().try_for_each(set)
}

fn set((call, id): (libc::c_long, u32)) -> io::Result<()> {
    // The wrappers of libc change all threads. It tells the former one, and no error: who asks for none is told the present one.
    // SAFETY: no memory is involved.
    let now = unsafe {
        libc::syscall(call, id);
        libc::syscall(call, u32::MAX)
    };
    if now as u32 == id { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EPERM)) }
}

/// Whether other processes of this user may look into this one.
fn may_be_seen() -> bool {
    // SAFETY: no memory is involved.
    unsafe { libc::prctl(libc::PR_GET_DUMPABLE) == 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel has noted of the calling thread: the file-system user is the last of four.
    fn own() -> String {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    }

    #[test]
    fn one_thread_changes_and_no_other() {
        let before = own();
        let seen = on_a_thread(|| take(65534, 65534).map(|()| own()));
        match nix::unistd::Uid::effective().is_root() {
            true => assert_eq!(seen.unwrap(), "65534"),
            false => assert_eq!(seen.unwrap_err().raw_os_error(), Some(libc::EPERM)),
        }
        assert_eq!(own(), before);
        assert!(may_be_seen());
    }
}
