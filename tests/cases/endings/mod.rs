//! How workers and the supervisor end, by death or by a stop, what they leave, and when workers come back.

/// Workers that die or stop, and what waited for them.
mod death;
/// What a killed supervisor leaves listening.
mod left_behind;
/// What workers are told, budgets, finished work, a bad first start, time to stop.
mod lives;
/// What workers leave behind.
mod remains;
/// Delays and budgets of restarts, and the log of a life.
mod restarts;
/// Signals, wrappers, nothing left behind.
mod stop;
/// Main processes that end before their children.
mod survivors;
/// Stops for which there is little time.
mod time_to_stop;
/// New connections once the supervisor has been killed.
mod without_supervisor;
