//! The clusters and workers that a command shows, as they are: all are asked at the same time, and of those that have ended it is read how.

use crate::api::{Inspection, Target};
use crate::cli::connection::target::{self, Found, Whom};
use crate::cli::connection::{left, survey};
use crate::cli::output::failed::{ABSENT, Failed};
use crate::io::control::last_end::LastEnd;

/// One of them.
#[derive(Debug)]
pub(in crate::cli) struct Seen {
    /// How people call it: `web`, `web/2`.
    pub(in crate::cli) label: String,
    /// The cluster alone.
    pub(in crate::cli) name: String,
    pub(in crate::cli) target: Target,
    pub(in crate::cli) state: State,
}

/// What is known of it.
#[derive(Debug)]
pub(in crate::cli) enum State {
    /// With no other workers than those that were asked for.
    Runs(Box<Inspection>),
    Ended(Box<LastEnd>),
    /// Its supervisor was killed, and could write no word of its end.
    Killed(Failed),
    Unknown(Failed),
}

impl Seen {
    /// It is the cluster and not a worker of it.
    pub(in crate::cli) fn is_whole(&self) -> bool {
        self.target == Target::Cluster
    }

    /// Its supervisor has answered.
    pub(in crate::cli) fn runs(&self) -> bool {
        matches!(self.state, State::Runs(_))
    }

    /// The exit code, if it is not there or could not be asked.
    pub(in crate::cli) fn code(&self) -> Option<u8> {
        match &self.state {
            State::Runs(_) => None,
            State::Ended(_) => Some(ABSENT),
            State::Killed(failed) | State::Unknown(failed) => Some(failed.code),
        }
    }
}

/// Those that are meant: where none is named all that run, and all that have ended badly.
pub(in crate::cli) fn all(whom: &Whom) -> Result<Vec<Seen>, Failed> {
    let directories = target::directories();
    if !whom.targets.is_empty() || whom.at.control.is_some() {
        return whom.find().map(|found| ask(found, whom));
    }
    let running = target::running(&directories);
    let mut known: Vec<_> = running.iter().map(|(name, _)| name.clone()).collect();
    known.extend(target::ended(&directories).into_iter().map(|(_, end)| end.name));
    let left = left::all(&directories, &known).into_iter().map(|(name, failed)| (name, Err(failed)));
    let found: Vec<_> = running
        .into_iter()
        .chain(left)
        .map(|(name, client)| Found {
            label: name.clone(),
            name: Some(name),
            target: Target::Cluster,
            client,
        })
        .collect();
    let ended = target::ended(&directories).into_iter().filter(|(_, end)| {
        !end.is_faulty_command() && !found.iter().any(|one| one.name.as_ref() == Some(&end.name))
    });
    let ended: Vec<Seen> = ended
        .map(|(_, end)| Seen {
            label: end.name.clone(),
            name: end.name.clone(),
            target: Target::Cluster,
            state: State::Ended(Box::new(end)),
        })
        .collect();
    if found.is_empty() && ended.is_empty() {
        return Err(target::none_runs());
    }
    Ok(ask(found, whom).into_iter().chain(ended).collect())
}

fn ask(found: Vec<Found>, whom: &Whom) -> Vec<Seen> {
    let mut clients = Vec::new();
    let mut named = Vec::new();
    for Found { label, name, target, client } in found {
        clients.push(client);
        named.push((label, name, target));
    }
    let answers = std::iter::zip(named, survey::inspect(clients));
    answers
        .map(|((label, name, target), answer)| {
            let state = match answer.and_then(|inspection| chosen(inspection, &target)) {
                Ok(inspection) => State::Runs(Box::new(inspection)),
                Err(failed) => match target::end_of(name.as_deref(), &whom.at) {
                    Some((_, end)) if failed.code == ABSENT => State::Ended(Box::new(end)),
                    _ if name.as_deref().is_some_and(|name| failed == target::left(name)) => {
                        State::Killed(failed)
                    }
                    _ => State::Unknown(failed),
                },
            };
            let of_answer = match &state {
                State::Runs(inspection) => Some(inspection.name.clone()),
                State::Ended(end) => Some(end.name.clone()),
                State::Killed(_) | State::Unknown(_) => None,
            };
            Seen { name: of_answer.or(name).unwrap_or_else(|| label.clone()), label, target, state }
        })
        .collect()
}

/// With no other worker than the one that was asked for, if one was.
fn chosen(mut inspection: Inspection, target: &Target) -> Result<Inspection, Failed> {
    if let Target::Worker(id) = target {
        if !inspection.workers.iter().any(|worker| worker.id == *id) {
            let known: Vec<_> = inspection.workers.iter().map(|worker| worker.id.as_str()).collect();
            return Err(Failed::new(ABSENT, format!("no worker {id}; there are {}", known.join(", "))));
        }
        inspection.workers.retain(|worker| worker.id == *id);
    }
    Ok(inspection)
}

/// What ends the command where not all could be asked: of the only one what is wrong with it, of several what has been shown already.
pub(in crate::cli) fn failure(mut seen: Vec<Seen>, code: u8) -> Failed {
    match (seen.pop(), seen.is_empty()) {
        (Some(Seen { state: State::Killed(failed) | State::Unknown(failed), .. }), true) => failed,
        _ => Failed::silent(code),
    }
}
