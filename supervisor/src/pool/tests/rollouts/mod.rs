//! Tests of processes that are replaced: by reloads, and because they have served for long enough.

mod failing;
mod footprints;
mod gates;
mod late_addresses;
mod recycles;
mod reloads_over;
mod rolling;
