//! What happens to a process, and what follows from it. Plain data: which event has which effect in which state stands in `transition`.

use crate::pool::{Signal, Stop};
use std::time::{Duration, Instant};

/// Makes the enum, and for the table's test the list of all its events, each with one value of what it carries.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident $(($carries:ty))?,)*) => {
        /// What happens to a process.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(in crate::pool) enum Event {
            $($(#[$doc])* $name $(($carries))?,)*
        }

        #[cfg(test)]
        impl Event {
            /// One of each; what carries a moment carries this one.
            pub(in crate::pool) fn one_of_each(at: Instant) -> Vec<Self> {
                vec![$(Self::$name $((<$carries as Carried>::value(at)))?,)*]
            }
        }
    };
}

events! {
    /// It is to be started at this moment.
    Due(Instant),
    /// It is not to be started again.
    GiveUp,
    /// It is being ordered.
    Order,
    /// It exists, under this number.
    Spawned(u32),
    /// It did not come to be.
    SpawnFailed,
    /// It is ready: it listens on an address, or has said or shown so.
    Ready,
    /// Its boot is over as far as others are concerned, or it cannot be seen, for `boot_slot`: another may boot.
    SlotFreed,
    /// It was seen to boot.
    StillBoots,
    /// `start_timeout` has passed without a lane.
    StartTimeout,
    /// `start_timeout` has passed, and that is why it is taken down.
    StartFailed,
    /// `start_timeout` has passed since it was spawned.
    Settled,
    /// It drains, and nothing is under way in its connections any more.
    Quiet,
    /// It has drained for as long as it may.
    DrainDue,
    /// `stop_timeout` has passed.
    ForceDue,
    /// It hangs: another is to take its place, and it is to be stopped.
    Hung,
    /// Its first process has ended and others of it live: another is to take its place, and they are to finish what they have.
    MainEnded,
    /// It ended.
    Exited,
    /// It exited with a code that says it has done its work.
    Finished,
    /// The cluster stops, and it may drain until then.
    Close(Instant),
    /// The cluster stops.
    Shutdown,
    /// The cluster stops at once.
    Kill,
    /// Somebody wants it started.
    Start,
    /// Somebody wants it stopped.
    Stop,
    /// Somebody wants it stopped, and another started.
    Restart,
    /// Somebody sends it SIGHUP, or wants it started.
    HangUp,
    /// Somebody wants it killed.
    ForceStop,
    /// Somebody wants it to end with a core.
    Dump,
    /// Somebody debugs it.
    Debug,
    /// Somebody sends it this signal.
    Signal(i32),
}

/// What an event may carry.
#[cfg(test)]
trait Carried {
    fn value(at: Instant) -> Self;
}

#[cfg(test)]
impl Carried for Instant {
    fn value(at: Instant) -> Self {
        at
    }
}

#[cfg(test)]
impl Carried for u32 {
    fn value(_: Instant) -> Self {
        9
    }
}

#[cfg(test)]
impl Carried for i32 {
    fn value(_: Instant) -> Self {
        12
    }
}

/// What follows from an event, for the pool to carry out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::pool) enum Effect {
    Nothing,
    /// The process exists; if it was told to stop before it did, it is now signalled.
    Started(Option<Signal>),
    /// It listens for the first time, this long after it was spawned.
    Ready(Duration),
    NeverListened(Duration),
    /// It has lost its place, because it hangs, was not ready in time, or has lost its first process: stop what lives of it like
    /// this, and restart or give up.
    Evicted(Stop),
    /// Its process ended unasked after this long: restart or give up.
    Died(Duration),
    /// Its process has done its work in this time.
    Finished(Duration),
    /// Its process ended as asked after this long.
    Stopped(Duration),
    /// The same, and another is to be started.
    Replaced(Duration),
    /// No process came: restart or give up.
    NotSpawned,
    /// No process came, and none is wanted any more.
    NotSpawnedStopped,
    Signal(Signal),
    /// It is out of rotation: tell when nothing is under way in its connections any more.
    Drain,
    /// It has drained for this long, to the end or not: it is told to stop by this.
    Drained {
        after: Duration,
        quiet: bool,
        signal: Signal,
    },
    /// It had this long to stop: kill it.
    Forced(Duration),
}

impl Effect {
    /// The process has its place no longer: nothing is left of it, or only what has to end.
    pub(in crate::pool) fn is_end(self) -> bool {
        match self {
            Self::Nothing
            | Self::Started(_)
            | Self::Ready(_)
            | Self::NeverListened(_)
            | Self::Signal(_)
            | Self::Drain
            | Self::Drained { .. }
            | Self::Forced(_) => false,
            Self::Evicted(_)
            | Self::Died(_)
            | Self::Finished(_)
            | Self::Stopped(_)
            | Self::Replaced(_)
            | Self::NotSpawned
            | Self::NotSpawnedStopped => true,
        }
    }
}
