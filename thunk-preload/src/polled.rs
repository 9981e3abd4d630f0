//! Which threads have just been told that something is readable: such a thread must not be left blocking in accept()
//! when the connection it was told of was taken back. A mark may be lost to another thread's, never invented.

use core::sync::atomic::{AtomicUsize, Ordering};

const SLOTS: usize = 256;
static MARKS: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(0) }; SLOTS];

/// The thread pointer names a thread without thread-local storage or a system call.
pub(crate) fn thread() -> usize {
    let pointer: usize;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the x86-64 ABI keeps the thread pointer at offset 0 of the fs segment.
    unsafe {
        core::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: reading the thread pointer register has no effect.
    unsafe {
        core::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nomem, nostack, preserves_flags));
    }
    pointer
}

fn slot(thread: usize) -> &'static AtomicUsize {
    // Thread descriptors are page-aligned or nearly: mix the high bits in.
    let mixed = (thread >> 6).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    &MARKS[mixed % SLOTS]
}

/// This thread's wait has returned with something ready.
pub(crate) fn mark() {
    let thread = thread();
    slot(thread).store(thread, Ordering::Relaxed);
}

/// True if this thread is marked.
pub(crate) fn is_marked() -> bool {
    let thread = thread();
    slot(thread).load(Ordering::Relaxed) == thread
}

/// True if this thread was marked since it last asked.
pub(crate) fn take() -> bool {
    let thread = thread();
    let slot = slot(thread);
    let marked = slot.load(Ordering::Relaxed) == thread;
    if marked {
        slot.store(0, Ordering::Relaxed);
    }
    marked
}
