//! `clustermon list`: the clusters of this user that run, and those that have failed and were not started again.

use crate::api::{ClusterState, Inspection};
use crate::cli::connection::{left, survey, target};
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::output::table::{Cell, Column, Tone, render};
use crate::cli::views::events::cluster_state;
use crate::io::control::last_end::LastEnd;

const COLUMNS: [Column; 5] =
    [("NAME", false), ("STATE", false), ("PID", true), ("WORKERS", true), ("ADDRESSES", false)];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {}

impl Args {
    #[expect(clippy::unused_self, reason = "like its sisters, though it has no options yet")]
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let directories = target::directories();
        let (mut names, mut clients): (Vec<_>, Vec<_>) = target::running(&directories).into_iter().unzip();
        for (name, failed) in left::all(&directories, &names) {
            names.push(name);
            clients.push(Err(failed));
        }
        let answers = survey::inspect(clients);
        let rows = std::iter::zip(&names, &answers).map(|(name, inspection)| row(name, inspection));
        // Of a command that could not be run at all nobody expects to find it.
        let ended = target::ended(&directories).into_iter().map(|(_, end)| end);
        let ended = ended.filter(|end| !end.is_faulty_command() && !names.contains(&end.name));
        let rows = rows.chain(ended.map(|end| row_of_end(&end)));
        out::print(&render(&COLUMNS, &rows.collect::<Vec<_>>(), out::colours()))
    }
}

fn row(name: &str, inspection: &Result<Inspection, Failed>) -> Vec<Cell> {
    let was_killed = inspection.as_ref().is_err_and(|failed| *failed == target::left(name));
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
            let state = if was_killed { "failed" } else { "unknown" };
            vec![name, Cell::toned(state, Tone::Bad), unknown.clone(), unknown, Cell::new(why)]
        }
    }
}

fn row_of_end(end: &LastEnd) -> Vec<Cell> {
    let unknown = Cell::maybe(None::<&str>);
    let all = end.inspection.as_ref().map_or(0, Inspection::count_workers);
    let workers = Cell::new(format!("0/{all}"));
    vec![Cell::new(&end.name), Cell::toned("failed", Tone::Bad), unknown, workers, Cell::new(&end.cause)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each() {
        let good = crate::cli::views::status::tests::inspection();
        let end = LastEnd::now("api", 1, "the restarts are spent".to_owned(), Some(good.clone()));
        let odd = row("odd", &Err(Failed::new(1, "it does not answer")));
        let rows = [row("web", &Ok(good)), odd, row_of_end(&end)];
        let expected = "\
NAME  STATE     PID  WORKERS  ADDRESSES
web   running  4711      1/3  127.0.0.1:8080
odd   unknown     -        -  it does not answer
api   failed      -      0/3  the restarts are spent
";
        assert_eq!(render(&COLUMNS, &rows, false), expected);
    }
}
