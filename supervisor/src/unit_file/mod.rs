//! The systemd unit of a file of apps, or of one cluster: what is known in, the text of the unit out. Everything here is pure: it reads
//! no file, asks nobody and writes nothing.

mod hardening;
mod name;
mod quoting;
mod stop_budget;
mod unit;

pub(crate) use hardening::{Hardening, Surroundings};
pub(crate) use name::{is_ours, name};
pub(crate) use stop_budget::{Link, budget};
pub(crate) use unit::{Account, Reload, Unit, Whose};
