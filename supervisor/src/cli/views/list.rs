//! `clustermon list`: the clusters of this user that run.

use crate::api::{ClusterState, Inspection};
use crate::cli::connection::target;
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::output::table::{Cell, Column, Tone, render};
use crate::cli::views::events::cluster_state;

const COLUMNS: [Column; 5] =
    [("NAME", false), ("STATE", false), ("PID", true), ("WORKERS", true), ("ADDRESSES", false)];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "like its sisters, though it has no options yet")]
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let running = target::running(&target::directories());
        let rows = running.into_iter().map(|(name, client)| {
            let inspection = client.and_then(|mut client| client.inspect());
            row(&name, &inspection)
        });
        out::print(&render(&COLUMNS, &rows.collect::<Vec<_>>(), out::colours()))
    }
}

fn row(name: &str, inspection: &Result<Inspection, Failed>) -> Vec<Cell> {
    let name = Cell::new(name);
    match inspection {
        Ok(found) => {
            let tone = if found.state == ClusterState::Running { Tone::Good } else { Tone::Changing };
            let addresses: Vec<_> = found.load_balancers.iter().map(|one| one.address.as_str()).collect();
            vec![
                name,
                Cell::toned(cluster_state(found.state), tone),
                Cell::new(found.pid),
                Cell::new(format!("{}/{}", found.count_running_workers(), found.count_workers())),
                Cell::new(addresses.join(", ")),
            ]
        }
        Err(failed) => {
            let why = failed.message.clone().unwrap_or_default();
            let unknown = Cell::maybe(None::<&str>);
            vec![name, Cell::toned("unknown", Tone::Bad), unknown.clone(), unknown, Cell::new(why)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        let good = crate::cli::views::status::tests::inspection();
        let rows = [row("web", &Ok(good)), row("odd", &Err(Failed::new(1, "it does not answer")))];
        let expected = "\
NAME  STATE     PID  WORKERS  ADDRESSES
web   running  4711      1/3  127.0.0.1:8080
odd   unknown     -        -  it does not answer
";
        assert_eq!(render(&COLUMNS, &rows, false), expected);
    }
}
