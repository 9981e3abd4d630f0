//! How the calling thread is scheduled, and for how long it has had a processor. It touches no other thread.

use nix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// The thread's policy.
pub(in crate::io) fn policy() -> i32 {
    // SAFETY: no memory is involved.
    unsafe { libc::sched_getscheduler(0) }
}

/// Gives the thread one of the policies without a priority; true if that is allowed. Only makes a system call.
pub(in crate::io) fn set_policy(policy: i32) -> bool {
    let parameter = libc::sched_param { sched_priority: 0 };
    // SAFETY: the parameter is ours and only read.
    unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) == 0 }
}

/// Makes the thread one that preempts whom it wakes, whatever it was started by.
pub(in crate::io) fn be_prompt() {
    if policy() == libc::SCHED_BATCH {
        set_policy(libc::SCHED_OTHER);
    }
}

/// How long the thread has had a processor.
pub(in crate::io) fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}
