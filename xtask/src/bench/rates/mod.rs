//! Cases of how much and how fast: rates, latencies and shares of servers that run beside each other.

pub(super) mod many;
pub(super) mod native;
pub(super) mod plain;
pub(super) mod spread;
pub(super) mod steering;
pub(super) mod tail;
pub(super) mod window;
pub(super) mod work;
