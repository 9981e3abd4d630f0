//! Cases of what clients notice while something happens to a worker: it hangs, dies, is replaced or drains.

pub(super) mod death;
pub(super) mod drain;
pub(super) mod hang;
pub(super) mod reload;
pub(super) mod stall;
