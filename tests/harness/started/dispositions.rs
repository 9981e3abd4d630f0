//! What the tests start has every signal at its default and none blocked, whatever the tests themselves were started by:
//! `nohup`, a shell's `&` and `timeout` leave ignored signals to all that comes after them.

use std::ptr::null_mut;

// SAFETY: the C library calls what is in this section before `main`, in the only thread, with arguments that a function
// without any leaves alone; this one makes system calls only, for which nothing need be set up.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = unignore;

/// Signals that were ignored get a handler that does nothing: the tests are as deaf to them as before, and executing a
/// program puts a handled signal back to its default, but not an ignored one. SIGPIPE and the mask are for
/// `std::process::Command` to reset, which it always does.
extern "C" fn unignore() {
    for number in 1..=libc::SIGRTMAX() {
        // SAFETY: sigaction is plain data for which all zeroes is a valid value; it is read and then written in the only
        // thread. A number that is no signal, or not ours to handle, is refused without effect.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let known = libc::sigaction(number, std::ptr::null(), &raw mut action) == 0;
            if !known || action.sa_sigaction != libc::SIG_IGN {
                continue;
            }
            action.sa_sigaction = match number {
                // With a handler our own waits would be interrupted; ignored, no child could be waited for.
                libc::SIGCHLD => libc::SIG_DFL,
                _ => nothing as extern "C" fn(libc::c_int) as libc::sighandler_t,
            };
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(number, &raw const action, null_mut());
        }
    }
}

extern "C" fn nothing(_: libc::c_int) {}
