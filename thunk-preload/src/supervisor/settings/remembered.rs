//! How to reach the supervisor, as it was when this process, or the one that it was forked from, began to listen. Looked at
//! only where the environment shows nothing any more: nginx's workers have theirs cleared and the memory of the one that
//! they were started with written over.

use super::{MAX_SOCKET, Settings};
use crate::supervisor::peer::Supervisor;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

static SOCKET: [AtomicU8; MAX_SOCKET] = [const { AtomicU8::new(0) }; MAX_SOCKET];
static TOKEN: [AtomicU8; 16] = [const { AtomicU8::new(0) }; 16];
static PID: AtomicU32 = AtomicU32::new(0);
static UID: AtomicU32 = AtomicU32::new(0);
static PID_NAMESPACE: AtomicU64 = AtomicU64::new(0);
static USER_NAMESPACE: AtomicU64 = AtomicU64::new(0);
static BACKLOG: AtomicI32 = AtomicI32::new(0);
static KEEP: AtomicBool = AtomicBool::new(false);
/// The supervisor's own number; 0 while it is not known.
static NONCE: AtomicU64 = AtomicU64::new(0);
/// 0 until all the others are set.
static SOCKET_LEN: AtomicUsize = AtomicUsize::new(0);

/// Remembers the first that are known. They hold for the life of the process: token and socket are the incarnation's.
pub(crate) fn keep(settings: &Settings) {
    if SOCKET_LEN.load(Ordering::Acquire) != 0 {
        return;
    }
    // Two threads that come here at once write the same.
    for (place, byte) in SOCKET.iter().zip(settings.socket()) {
        place.store(*byte, Ordering::Relaxed);
    }
    for (place, byte) in TOKEN.iter().zip(&settings.token) {
        place.store(*byte, Ordering::Relaxed);
    }
    let Supervisor { pid, uid, pid_namespace, user_namespace } = settings.supervisor;
    PID.store(pid, Ordering::Relaxed);
    UID.store(uid, Ordering::Relaxed);
    PID_NAMESPACE.store(pid_namespace, Ordering::Relaxed);
    USER_NAMESPACE.store(user_namespace, Ordering::Relaxed);
    BACKLOG.store(settings.backlog, Ordering::Relaxed);
    KEEP.store(settings.keep, Ordering::Relaxed);
    NONCE.store(nonce_in(settings.socket()).unwrap_or(0), Ordering::Relaxed);
    SOCKET_LEN.store(settings.socket().len(), Ordering::Release);
}

/// The number of the supervisor that this process listened with, by which its lanes are told from those that the process
/// itself makes, if it is the supervisor of another cluster. `None` before the process has listened.
pub(crate) fn nonce() -> Option<u64> {
    let nonce = NONCE.load(Ordering::Relaxed);
    (nonce != 0).then_some(nonce)
}

/// The request socket is named `clustermon/PID/NONCE`, the nonce in 16 hexadecimal digits.
fn nonce_in(socket: &[u8]) -> Option<u64> {
    let digits = socket.rsplit(|&byte| byte == b'/').next().filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// Fills in what is remembered, if anything is. The rules are not: without an environment the default ones hold.
pub(crate) fn recall(settings: &mut Settings) {
    let mut socket = [0; MAX_SOCKET];
    let len = SOCKET_LEN.load(Ordering::Acquire).min(MAX_SOCKET);
    if len == 0 {
        return;
    }
    for (byte, place) in socket.iter_mut().zip(&SOCKET[..len]) {
        *byte = place.load(Ordering::Relaxed);
    }
    for (byte, place) in settings.token.iter_mut().zip(&TOKEN) {
        *byte = place.load(Ordering::Relaxed);
    }
    settings.supervisor = Supervisor {
        pid: PID.load(Ordering::Relaxed),
        uid: UID.load(Ordering::Relaxed),
        pid_namespace: PID_NAMESPACE.load(Ordering::Relaxed),
        user_namespace: USER_NAMESPACE.load(Ordering::Relaxed),
    };
    settings.backlog = BACKLOG.load(Ordering::Relaxed);
    settings.keep = KEEP.load(Ordering::Relaxed);
    settings.set_socket(&socket[..len]);
}
