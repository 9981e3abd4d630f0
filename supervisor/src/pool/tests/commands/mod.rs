//! Tests of what people want: of one worker, of their number, and of the cluster as a whole.

mod closing;
mod commanding;
mod configuring;
mod cordons;
mod drains;
mod forced;
mod scaling;
mod stopping;
mod timetable;
