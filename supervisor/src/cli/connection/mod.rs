//! Clusters that run: which one is meant, what it is asked, and how long somebody waits. It changes nothing by itself.

pub(super) mod at_once;
pub(super) mod client;
pub(super) mod left;
pub(super) mod survey;
pub(super) mod target;
pub(super) mod vacancy;
pub(super) mod waiting;
