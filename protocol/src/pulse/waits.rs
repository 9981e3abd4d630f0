//! What a thread that waits waits on, as its record says. It tells nothing of threads that run.

/// What a waiting thread waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsOn {
    /// The epoll set with this descriptor: whether a lane is in it, only the kernel tells.
    Set(u32),
    /// Lanes, itself: by accept(), poll() or select().
    Lanes(LaneMask),
}

/// Descriptors of lanes, so far as fit in 31 bits: two that are 31 apart look alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneMask(pub(super) u32);

impl LaneMask {
    /// That one too.
    pub fn add(&mut self, fd: i32) {
        self.0 |= 1 << (fd as u32 % 31);
    }

    /// The descriptor is one of them, or looks like one.
    pub fn may_hold(self, fd: i32) -> bool {
        self.0 & 1 << (fd as u32 % 31) != 0
    }

    /// There is none in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
