//! Clusters that change while they serve: reloads, replacements, drains and cordons, and that no request is lost.

/// What is accepted after a cordon was answered.
mod cordon_race;
/// Connections go from a worker that leaves to others.
mod moving;
/// No request is lost while a cluster changes.
mod no_loss;
/// The clients that look for lost requests find those that are lost.
mod no_loss_clients;
/// Out of rotation is out of it for good.
mod out_of_rotation;
/// New versions: those that fail, and those that are another program in another place.
mod reload;
/// Reloads over one another, aborted ones, and what is shown of those that failed.
mod reload_over;
/// Reloads that fail halfway, where the kernel chooses.
mod rollback;
/// Processes replaced one after the other, for whatever reason.
mod rolling;
/// Reloads and restarts at set times.
mod schedules;
/// Clients that never send a byte.
mod silent_clients;
/// Reloads at changes of files.
mod watch;
