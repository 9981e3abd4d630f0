//! What it takes to change each option of a cluster that runs. An option that is not named here takes a new supervisor, and a test asks
//! for every option to be named.

use super::Config;
use crate::api::Takes;

/// Read when they are needed.
const AT_ONCE: &[&str] = &[
    "workers",
    "server-restart-delay",
    "when-no-worker",
    "start-timeout",
    "max-starting",
    "respawn",
    "restart-delay",
    "max-restart-delay",
    "min-uptime",
    "exit-codes-ok",
    "keep-trying",
    "stop-signal",
    "stop-timeout",
    "drain",
    "drain-timeout",
    "idle-grace",
    "drain-delay",
    "shutdown-timeout",
    "max-surge",
    "max-unavailable",
    "no-surge",
    "min-healthy-time",
    "listen-settle",
    "rollback",
    "reload-at",
    "restart-at",
    "memory-limit",
    "memory-samples",
    "pulse",
    "lag-limit",
    "hang-limit",
    "health-max-unavailable",
    "dump-signal",
    "on",
    "before-start",
    "before-reload",
    "hook-timeout",
];

/// A process is given them at its start.
const BY_NEW_PROCESSES: &[&str] = &[
    "interpreter",
    "interpreter-arg",
    "cwd",
    "env-file",
    "umask",
    "share",
    "private",
    "backlog",
    "ready",
    "base-port",
    "placeholders",
    "max-lifetime",
    "recycle-after-connections",
    "recycle-jitter",
    "limit",
    "nice",
    "cpu-affinity",
    "no-new-privs",
    "keep-capability",
    "memory-max",
    "cpu-max",
];

/// The supervisor itself begins with them: sockets, threads, and what lanes are made with.
#[cfg(test)]
const BY_A_NEW_SUPERVISOR: &[&str] = &[
    "logical-ids",
    "name",
    "control",
    "detach",
    "log",
    "verbose",
    "thunk",
    "intercept",
    "dispatch",
    "window",
    "on-supervisor-death",
    "watchdog",
    "watch",
    "encoding",
    "log-format",
    "log-time",
    "log-max-size",
    "log-max-age",
    "log-keep",
    "log-compress",
    "log-to",
    "log-full",
    "capture",
    "user",
    "group",
    "groups",
    "chroot",
];

/// Whom a connection is given: whether connections are counted, and whether workers accept by themselves, is fixed when an address is opened.
const COUNTED: &[&str] = &["policy", "max-connections"];

/// What it takes to have the option in force that is another in the new configuration.
pub(crate) fn takes(option: &str, old: &Config, new: &Config) -> Takes {
    let fixed = |config: &Config| {
        let balancing = &config.settings.balancing;
        (balancing.counts(), balancing.handoff_because().is_some())
    };
    if AT_ONCE.contains(&option) || COUNTED.contains(&option) && fixed(old) == fixed(new) {
        Takes::Nothing
    } else if BY_NEW_PROCESSES.contains(&option) {
        Takes::Reload
    } else {
        Takes::Start
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Builder, Policy};

    #[test]
    fn of_each_option_it_is_known_what_it_takes() {
        let all = [AT_ONCE, BY_NEW_PROCESSES, BY_A_NEW_SUPERVISOR, COUNTED].concat();
        let run = crate::cli::run_command();
        let of_the_start = |name: &str| matches!(name, "detached" | "app-file");
        let shown = run.get_arguments().filter(|option| !option.get_long().is_some_and(of_the_start));
        let options: Vec<_> =
            shown.filter_map(|option| option.get_long()).filter(|name| *name != "help").collect();
        for option in &options {
            assert_eq!(
                all.iter().filter(|name| *name == option).count(),
                1,
                "--{option} is to be in one list"
            );
        }
        for name in all {
            assert!(options.contains(&name), "{name} is no option of run");
        }
    }

    #[test]
    fn a_policy_that_counts_as_before_needs_nothing() {
        let config = |policy| Builder::new(["x"]).policy(policy).build_for(1).unwrap();
        let (turns, least) = (config(Policy::RoundRobin), config(Policy::LeastConnections));
        assert_eq!(takes("policy", &turns, &turns), Takes::Nothing);
        assert_eq!(takes("policy", &turns, &least), Takes::Start);
        assert_eq!(takes("share", &turns, &turns), Takes::Reload);
        assert_eq!(takes("workers", &turns, &least), Takes::Nothing);
    }
}
