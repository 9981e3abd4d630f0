//! The parts of the pool that do what people want: of one worker, of their number, and of the cluster as a whole when it begins and stops. What follows for
//! a process is in `lives`.

mod cluster_stop;
mod commanding;
mod configuring;
mod gating;
pub(super) mod requests;
mod scale;
pub(super) mod timetable;
