//! Text on its way out: the log, what workers write, and who reads along. It never waits for a reader.

pub(crate) mod destination;
pub(crate) mod detach_pipe;
mod line_writer;
pub(in crate::io) mod lines;
pub(crate) mod log;
pub(crate) mod log_file;
pub(crate) mod plain;
pub(crate) mod recent;
pub(crate) mod records;
pub(crate) mod stamp;
pub(crate) mod streams;
pub(crate) mod throttle;
