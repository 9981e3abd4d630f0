//! What workers and the supervisor write, and where it goes.

/// /dev/stderr of programs that change their user.
mod dev_stderr;
/// Lines that go to the journal or to syslog.
mod log_elsewhere;
/// The file that a cluster in the background logs to: names, times, and opened anew.
mod log_file;
/// A log that nobody reads.
mod log_pipe;
/// What workers write, printed by commands.
mod plain_text;
/// What was written last.
mod recent_lines;
/// The file of the log: full by size or age, emptied, on a full disk.
mod rotation;
/// What workers write: captured, decoded, dropped; interpreters; the log as JSON.
mod streams;
