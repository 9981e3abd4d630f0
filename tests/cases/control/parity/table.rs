//! The table behind docs/parity.md: what the original offered, and where it is here. Plain data.

/// The options of the constructor in the original's README, in its order.
const OPTIONS: [&str; 14] = [
    "exec",
    "initMaster",
    "respawnWorkerCount",
    "numCPUs",
    "logicalIds",
    "pulse",
    "serverRestartDelay",
    "workerForceStopDelay",
    "workerRestartDelay",
    "execPath",
    "execArgv",
    "encoding",
    "silent",
    "logger",
];

/// Options that its code knew and its README did not tell.
const UNTOLD: [&str; 7] =
    ["workerPath", "workerArgv", "workerCount", "isHealthy", "unhealthyTimeout", "createEnvironment", "cwd"];

/// The methods of the supervisor, in the README's order.
const METHODS: [&str; 10] = [
    "start",
    "stop",
    "inspect",
    "countWorkers",
    "countRunningWorkers",
    "countActiveWorkers",
    "countRunningLoadBalancers",
    "countActiveLoadBalancers",
    "forEachWorker",
    "forEachLoadBalancer",
];

/// The methods of what forEachWorker shows.
const OF_A_WORKER: [&str; 8] =
    ["start", "stop", "restart", "reload", "forceStop", "dump", "debug", "inspect"];

/// What was emitted.
const EVENTS: [&str; 4] = ["worker stateChange", "worker health", "load balancer stateChange", "standby"];

/// What it does, by its README and by its code.
const PROMISES: [&str; 8] = [
    "maintains a pool of workers",
    "monitors the health of the workers",
    "restarts workers if they stop",
    "stops workers if they fail a health check",
    "distributes incoming connections",
    "the least recently connected worker is next",
    "workers require no special programming",
    "the next worker serves what waited while there was none",
];

/// `(original, command line, library, tests, remark)`. A dash says that there is nothing, and the remark why.
pub(super) type Row = (&'static str, &'static str, &'static str, &'static str, &'static str);

const OPTION_ROWS: &[Row] = &[
    ("exec", "COMMAND", "builder", "programs::as_workers::keep_their_contract", "any program"),
    (
        "initMaster",
        "-",
        "on_start",
        "library::on_start_is_called_once_for_each_start_with_the_cluster",
        "code: library only",
    ),
    (
        "respawnWorkerCount",
        "--respawn",
        "respawn",
        "endings::lives::a_spent_budget_is_shown_and_is_the_workers_own, endings::restarts::a_budget_is_refilled_by_a_long_life",
        "for each worker; in the original it had no effect",
    ),
    ("numCPUs", "--workers", "workers", "dispatch::rotation::counts_cpus_by_default", ""),
    (
        "logicalIds",
        "--logical-ids",
        "logical_ids",
        "dispatch::rotation::uses_the_ids_that_were_given, library::scales_with_the_smallest_unused_ids",
        "duplicates are an error",
    ),
    (
        "pulse",
        "--pulse",
        "pulse",
        "health::pulse::is_taken_as_often_as_it_is_told, health::pulse::is_not_taken_when_it_is_off",
        "sampled from outside: the worker does nothing for it",
    ),
    (
        "serverRestartDelay",
        "--server-restart-delay",
        "server_restart_delay",
        "listening::reopen::a_broken_socket_is_opened_again, listening::reopen::until_then_it_is_in_standby",
        "in the original it had no effect",
    ),
    (
        "workerForceStopDelay",
        "--stop-timeout",
        "stop_timeout",
        "endings::stop::the_stubborn_are_killed_in_time, endings::lives::a_stop_timeout_of_zero_kills_at_once, endings::lives::an_infinite_stop_timeout_never_kills",
        "10 s by default (original: 5 s); 0 kills at once",
    ),
    (
        "workerRestartDelay",
        "--restart-delay, --max-restart-delay, --min-uptime",
        "restart_delay, max_restart_delay, min_uptime",
        "endings::restarts::the_young_wait_twice_as_long_each_time, endings::restarts::the_old_are_replaced_at_once",
        "doubles while workers die young",
    ),
    (
        "execPath",
        "--interpreter",
        "interpreter",
        "output::streams::an_interpreter_runs_a_file_that_is_not_executable",
        "",
    ),
    (
        "execArgv",
        "--interpreter-arg",
        "interpreter_arg",
        "output::streams::an_interpreter_runs_a_file_that_is_not_executable",
        "",
    ),
    ("encoding", "--encoding", "encoding", "output::streams::encodings", ""),
    (
        "silent",
        "--capture",
        "capture",
        "output::streams::lines_are_prefixed_and_keep_their_stream, output::streams::what_is_not_captured_is_untouched",
        "",
    ),
    (
        "logger",
        "--log-format, --verbose",
        "log_format, capture",
        "embedding::a_logger_of_ones_own_is_told_all, output::streams::every_line_of_a_json_log_is_an_object",
        "the library logs to the `log` facade",
    ),
];

const UNTOLD_ROWS: &[Row] = &[
    ("workerPath", "COMMAND", "builder", "programs::as_workers::keep_their_contract", "another name of exec"),
    (
        "workerArgv",
        "ARGS",
        "builder",
        "output::streams::an_interpreter_runs_a_file_that_is_not_executable",
        "",
    ),
    (
        "workerCount",
        "--workers",
        "workers",
        "dispatch::rotation::counts_cpus_by_default",
        "another name of numCPUs",
    ),
    (
        "isHealthy",
        "-",
        "on_health",
        "embedding::a_worker_that_is_judged_unhealthy_is_restarted",
        "code: library only",
    ),
    (
        "unhealthyTimeout",
        "--lag-limit, --hang-limit",
        "lag_limit, hang_limit",
        "endings::death::what_waits_at_a_stopped_worker_is_served_by_others_in_time, health::hangs::a_stopped_worker_is_replaced",
        "a worker that lags leaves the rotation; one that is found to hang is replaced",
    ),
    (
        "createEnvironment",
        "-",
        "environment",
        "library::an_exhaustive_environment_holds_nothing_else",
        "code: library only; inherited or exhaustive",
    ),
    (
        "cwd",
        "--cwd",
        "cwd",
        "changes::reload::the_link_is_followed_anew, starts::worker_env::is_as_the_shell_gives_it",
        "by default the supervisor's working directory",
    ),
];

const METHOD_ROWS: &[Row] = &[
    (
        "start",
        "clustermon run, clustermon start",
        "start",
        "library::starts_again_after_a_stop, control::commands::a_worker_is_stopped_and_started",
        "it can start again after a stop",
    ),
    (
        "stop",
        "clustermon stop",
        "stop, wait",
        "library::counts_and_visits, control::commands::stop_ends_the_cluster",
        "`wait` stands for its callback",
    ),
    (
        "inspect",
        "clustermon inspect",
        "inspect",
        "control::commands::status_is_a_table, library::counts_and_visits",
        "",
    ),
    ("countWorkers", "clustermon status", "count_workers", "library::counts_and_visits", ""),
    (
        "countRunningWorkers",
        "clustermon status",
        "count_running_workers",
        "library::counts_and_visits",
        "running means ready",
    ),
    ("countActiveWorkers", "clustermon status", "count_active_workers", "library::counts_and_visits", ""),
    (
        "countRunningLoadBalancers",
        "clustermon status",
        "count_running_load_balancers",
        "library::counts_and_visits",
        "",
    ),
    (
        "countActiveLoadBalancers",
        "clustermon status",
        "count_active_load_balancers",
        "library::counts_and_visits",
        "",
    ),
    ("forEachWorker", "clustermon inspect", "for_each_worker", "library::counts_and_visits", ""),
    ("forEachLoadBalancer", "clustermon inspect", "for_each_load_balancer", "library::counts_and_visits", ""),
];

const WORKER_ROWS: &[Row] = &[
    (
        "start",
        "clustermon start",
        "start",
        "control::commands::a_worker_is_stopped_and_started, library::commands_of_a_worker",
        "",
    ),
    (
        "stop",
        "clustermon stop",
        "stop",
        "control::commands::a_worker_is_stopped_and_started, endings::lives::a_worker_that_is_starting_is_stopped_and_stays_down",
        "",
    ),
    (
        "restart",
        "clustermon restart",
        "restart",
        "control::commands::restart_replaces_processes, endings::lives::a_restart_is_forced_after_the_stop_timeout",
        "does not count as a restart of `--respawn`",
    ),
    (
        "reload",
        "clustermon hang-up",
        "hang_up",
        "endings::lives::a_hang_up_is_the_programs_own_affair, control::commands::signals_reach_the_process",
        "SIGHUP",
    ),
    (
        "forceStop",
        "clustermon force-stop",
        "force_stop",
        "control::commands::force_stop_and_dump_end_a_worker_for_good",
        "",
    ),
    ("dump", "clustermon dump", "dump", "endings::lives::a_dump_shows_where_it_was_and_ends_it", "SIGABRT"),
    (
        "debug",
        "clustermon debug",
        "debug",
        "endings::lives::a_debugger_opens_and_is_not_disturbed",
        "SIGUSR1; the worker is not killed while a debugger waits",
    ),
    (
        "inspect",
        "clustermon inspect",
        "inspect",
        "control::commands::status_is_a_table, library::commands_of_a_worker",
        "",
    ),
];

const EVENT_ROWS: &[Row] = &[
    (
        "worker stateChange",
        "clustermon events",
        "events",
        "library::tells_what_happens, control::commands::events_are_told_as_they_happen",
        "",
    ),
    ("worker health", "clustermon events", "events", "health::pulse::is_told_as_an_event", ""),
    (
        "load balancer stateChange",
        "clustermon events",
        "events",
        "listening::reopen::the_change_of_a_balancer_is_told",
        "",
    ),
    ("standby", "clustermon events", "events", "library::tells_what_happens", ""),
];

const PROMISE_ROWS: &[Row] = &[
    (
        "maintains a pool of workers",
        "clustermon run",
        "start",
        "programs::as_workers::keep_their_contract",
        "",
    ),
    (
        "monitors the health of the workers",
        "clustermon status",
        "events",
        "health::pulse::is_taken_as_often_as_it_is_told",
        "event-loop lag and memory",
    ),
    (
        "restarts workers if they stop",
        "--respawn",
        "respawn",
        "programs::as_workers::are_replaced_when_they_exit, endings::lives::code_zero_is_restarted_like_any_other",
        "",
    ),
    (
        "stops workers if they fail a health check",
        "-",
        "on_health",
        "embedding::a_worker_that_is_judged_unhealthy_is_restarted",
        "the check is code: library only",
    ),
    (
        "distributes incoming connections",
        "--policy",
        "policy",
        "dispatch::rotation::is_exact_over_a_hundred_connections",
        "",
    ),
    (
        "the least recently connected worker is next",
        "--policy",
        "policy",
        "dispatch::rotation::is_exact_over_a_hundred_connections",
        "among the workers that are ready",
    ),
    (
        "workers require no special programming",
        "COMMAND",
        "builder",
        "programs::as_workers::keep_their_contract",
        "and need not be Node programs",
    ),
    (
        "the next worker serves what waited while there was none",
        "--when-no-worker",
        "when_no_worker",
        "dispatch::policies::connections_are_held_until_a_worker_is_back",
        "within 10 s by default; no connection is lost",
    ),
];

/// One table of the document.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) original: &'static str,
    pub(super) names: &'static [&'static str],
    pub(super) rows: &'static [Row],
}

pub(super) const SECTIONS: &[Section] = &[
    Section { title: "Options", original: "original", names: &OPTIONS, rows: OPTION_ROWS },
    Section {
        title: "Options that only its code shows",
        original: "original",
        names: &UNTOLD,
        rows: UNTOLD_ROWS,
    },
    Section { title: "Methods of the supervisor", original: "original", names: &METHODS, rows: METHOD_ROWS },
    Section { title: "Methods of a worker", original: "original", names: &OF_A_WORKER, rows: WORKER_ROWS },
    Section { title: "Events", original: "original", names: &EVENTS, rows: EVENT_ROWS },
    Section { title: "What it does", original: "promise", names: &PROMISES, rows: PROMISE_ROWS },
];
