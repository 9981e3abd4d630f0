//! Runs of several servers by turns, and the plain ones among the loads that they get. It says nothing of what comes of them but in figures.

use super::figures::stats::{Figures, typical};
use super::figures::table::Table;
use super::load::client::{Connection, Load, Pace, Work};
use super::load::engine;
use super::servers::{Bench, Server};
use crate::Result;
use std::time::Duration;

pub(super) fn closed(bench: &Bench, server: &Server, clients: usize, connection: Connection) -> Load {
    let pace = Pace::Closed { clients };
    Load {
        server: server.addr,
        pid: server.pid(),
        pace,
        connection,
        work: Work::Plain,
        duration: bench.seconds,
    }
}

pub(super) fn warm_up(bench: &Bench) -> Duration {
    bench.seconds.min(Duration::from_millis(500))
}

/// Warms up every load, then runs them by turns, A B A B: what changes slowly on the machine meets all alike. Random
/// work is the same for all in a turn and another in the next.
pub(super) fn interleave<const N: usize>(
    bench: &Bench,
    loads: [Load; N],
    warm_up: Duration,
) -> Result<[Vec<Figures>; N]> {
    for load in loads {
        engine::run(&Load { duration: warm_up, ..load })?;
    }
    let mut figures = [const { Vec::new() }; N];
    for turn in 0..bench.runs {
        for (runs, load) in figures.iter_mut().zip(loads) {
            let work = match load.work {
                Work::HeavyTailed { task, .. } => Work::HeavyTailed { seed: turn as u64, task },
                Work::Plain => Work::Plain,
            };
            runs.push(engine::run(&Load { work, ..load })?.figures());
        }
    }
    Ok(figures)
}

pub(super) fn both(ours: &[Figures], names: [&str; 2], rival: &[Figures]) -> String {
    let mut table = Table::of_figures("server");
    table.figures(names[0], &typical(ours));
    table.figures(names[1], &typical(rival));
    table.render() + "\n"
}
