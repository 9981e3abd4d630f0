//! Options on when all workers get a new process without being asked: by a reload, or by a restart of one after the other.

use crate::settings::{Schedule, default_as_shown};

/// When all workers get a new process.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Schedules")]
#[non_exhaustive]
pub struct Schedules {
    /// Reload at these times, local time: five fields as in crontab(5), `0 3 * * *` is each night at three, or @hourly, @daily,
    /// @weekly, @monthly; repeatable
    #[arg(long, value_name = "CRON")]
    pub reload_at: Vec<Schedule>,
    /// Restart the workers at these times, one after the other: each old process ends before the new one starts; repeatable
    #[arg(long, value_name = "CRON")]
    pub restart_at: Vec<Schedule>,
}

default_as_shown!(Schedules);
