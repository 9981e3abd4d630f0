//! The options of `run` on the file of the log: which it is, when another takes its place, and what becomes of older ones. They are for the
//! program `clustermon` alone, which has streams of its own.

use crate::io::output::destination::LogTo;
use crate::io::output::log_file::older::Keeping;
use crate::io::output::log_file::rotation::Rules;
use crate::settings::size::{self, Size};
use crate::settings::{OrNever, duration};
use std::path::PathBuf;

#[derive(Clone, Debug, clap::Args)]
pub(super) struct LogArgs {
    /// Append what the supervisor and its workers write to this file; without it the last of it is kept in memory, for `logs`
    #[arg(long, value_name = "FILE", requires = "detach")]
    pub(super) log: Option<PathBuf>,
    /// Begin a new file of --log before it is larger than this, such as 10M; what workers write is captured then
    #[arg(long, value_name = "SIZE|off", help_heading = "Output", value_parser = size::or_off, default_value = "off")]
    log_max_size: MaxSize,
    /// Begin a new file of --log once it is older than this, such as 1d; what workers write is captured then
    #[arg(long, value_name = "DURATION|off", help_heading = "Output", value_parser = duration::or_off, default_value = "off")]
    log_max_age: OrNever,
    /// Send what the supervisor and its workers write to the journal or to syslog instead: journald, syslog, syslog:/PATH or
    /// syslog:udp:HOST:PORT; what workers write is captured then
    #[arg(long, value_name = "DESTINATION", help_heading = "Output", conflicts_with = "log")]
    pub(super) log_to: Option<LogTo>,
    /// So many older files of --log are kept
    #[arg(long, value_name = "N", help_heading = "Output", default_value_t = 10)]
    log_keep: u32,
    /// What older files of --log are compressed with: gzip or none
    #[arg(long, value_name = "gzip|none", help_heading = "Output", default_value = "gzip")]
    log_compress: Compress,
}

/// The name keeps the command line's reader from taking it for an option that may be absent.
type MaxSize = Option<Size>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Compress {
    Gzip,
    None,
}

/// The options beside --log that mean nothing without it.
pub(in crate::cli) const ABOUT_THE_FILE: [&str; 5] =
    ["log", "log-max-size", "log-max-age", "log-keep", "log-compress"];

impl LogArgs {
    /// Whether a file is to be rotated that there is not.
    pub(super) fn lacks_file(&self) -> bool {
        self.log.is_none() && self.rules().is_some()
    }

    /// When a new file is begun; `None` if never.
    pub(super) fn rules(&self) -> Option<Rules> {
        let max_size = self.log_max_size.map(|Size(bytes)| bytes);
        let compressed = self.log_compress == Compress::Gzip;
        let keeping = Keeping { count: self.log_keep, compressed };
        let rules = Rules { max_size, max_age: self.log_max_age, keeping };
        (max_size.is_some() || self.log_max_age.is_some()).then_some(rules)
    }
}
