//! What each thread's last wait has told it: a thread that was told that a connection waits must not be left blocking in
//! accept() if that connection is taken back. A mark may be lost to another thread's, never invented.

use core::sync::atomic::{AtomicUsize, Ordering};

const SLOTS: usize = 256;
/// Each holds the thread, and above it by what it was told.
static MARKS: [AtomicUsize; SLOTS] = [const { AtomicUsize::new(0) }; SLOTS];

/// Addresses of a program need no more bits than these.
const THREAD: usize = (1 << 48) - 1;
/// Set for an epoll set, clear for lanes.
const SET: usize = 1 << 15;
/// The largest number of a set that a mark can hold, plus one; it stands for this one and all above.
const LARGEST: usize = SET - 1;
/// How many lanes a mark tells apart.
const LANES: i32 = 15;

/// What a thread was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// That something waits in each of these lanes.
    Lanes(ToldLanes),
    /// That there is something for one of those in this epoll set.
    Set(i32),
    /// Either, but it cannot be kept of which.
    Something,
}

/// Descriptors of lanes, as a mask: two that are 15 apart look alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ToldLanes {
    mask: usize,
    /// Two of them look alike.
    is_unsure: bool,
}

impl ToldLanes {
    /// That one too.
    pub(crate) fn add(&mut self, fd: i32) {
        let bit = 1 << fd.rem_euclid(LANES);
        self.is_unsure |= self.mask & bit != 0;
        self.mask |= bit;
    }

    /// The descriptor is one of them, or looks like one.
    pub(crate) fn may_hold(self, fd: i32) -> bool {
        self.mask & 1 << fd.rem_euclid(LANES) != 0
    }

    /// What who was told of them was told.
    pub(crate) fn told(self) -> Option<Told> {
        match self {
            Self { mask: 0, .. } => None,
            Self { is_unsure: true, .. } => Some(Told::Something),
            lanes => Some(Told::Lanes(lanes)),
        }
    }
}

impl Told {
    fn encode(self) -> usize {
        match self {
            Self::Lanes(lanes) => lanes.mask,
            Self::Set(set) => SET | usize::try_from(set).map_or(LARGEST, |number| (number + 1).min(LARGEST)),
            Self::Something => SET | LARGEST,
        }
    }

    fn decode(code: usize) -> Self {
        match (code & !SET, code & SET) {
            (mask, 0) => Self::Lanes(ToldLanes { mask, is_unsure: false }),
            (0 | LARGEST, _) => Self::Something,
            (number, _) => Self::Set(number as i32 - 1),
        }
    }
}

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

/// This thread's wait has returned and told it this.
pub(crate) fn mark(told: Told) {
    let thread = thread();
    slot(thread).store(thread & THREAD | told.encode() << 48, Ordering::Relaxed);
}

/// True if this thread is marked.
pub(crate) fn is_marked() -> bool {
    let thread = thread();
    slot(thread).load(Ordering::Relaxed) & THREAD == thread & THREAD
}

/// What this thread has been told, and has not yet come to take.
pub(crate) fn told() -> Option<Told> {
    own().map(|(_, told)| told)
}

/// This thread has taken what waited in the lane `fd`: of the others that it was told of it has taken nothing.
pub(crate) fn took(fd: i32) {
    let Some((slot, told)) = own() else { return };
    slot.store(0, Ordering::Relaxed);
    if let Told::Lanes(ToldLanes { mask, .. }) = told {
        let others = ToldLanes { mask: mask & !(1 << fd.rem_euclid(LANES)), is_unsure: false };
        if let Some(told) = others.told() {
            mark(told);
        }
    }
}

fn own() -> Option<(&'static AtomicUsize, Told)> {
    let thread = thread();
    let slot = slot(thread);
    let mark = slot.load(Ordering::Relaxed);
    (mark & THREAD == thread & THREAD).then(|| (slot, Told::decode(mark >> 48)))
}
