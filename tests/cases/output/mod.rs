//! What workers and the supervisor write, and where it goes.

/// /dev/stderr of programs that change their user.
mod dev_stderr;
/// The file that a cluster in the background logs to: names, times, and opened anew.
mod log_file;
/// A log that nobody reads.
mod log_pipe;
/// What workers write, printed by commands.
mod plain_text;
/// What was written last.
mod recent_lines;
/// What workers write: captured, decoded, dropped; interpreters; the log as JSON.
mod streams;
