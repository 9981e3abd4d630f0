//! Who commands, and who is answered: other threads, and clients of the control socket. A command that takes time is answered at once or
//! once it is done, as who asked wants it; what it does stands in `acting`.

use super::super::Shell;
use super::super::os::Os;
use super::begun::Begun;
use super::waits::{Asker, Goal, Wait};
use crate::api::{Action, Command, Failure, NO_LIMIT, Reply};
use crate::io::control::server::Control;
use crate::io::events::source::Source;
use crate::link::Order;
use std::time::Duration;

/// So long at most it is waited until a worker that was cordoned has ended the accept that it may be in.
const SETTLES: Duration = Duration::from_millis(10);

impl<O: Os> Shell<O> {
    /// Takes in what other threads have ordered.
    pub(in crate::event_loop) fn on_orders(&mut self) {
        while let Some(Order { command, answer }) =
            self.inbox.as_ref().and_then(|inbox| inbox.orders.try_recv().ok())
        {
            self.on_command(command, Asker::Thread(answer));
        }
    }

    /// Something happened on the control socket or to one of its clients.
    pub(in crate::event_loop) fn on_control(&mut self, source: Source, readable: bool, writable: bool) {
        let Some(control) = &mut self.control else { return };
        match source {
            Source::Client(place) => {
                if writable {
                    control.writable(place, self.now);
                }
                if readable {
                    control.readable(place, self.now);
                }
            }
            _ => control.accept(self.now),
        }
        self.on_asked();
    }

    /// Lets go of clients of the control socket whose time is up, and hears what is left of what they said.
    pub(in crate::event_loop) fn expire_clients(&mut self) {
        if let Some(control) = &mut self.control {
            control.expire(self.now);
            self.on_asked();
        }
    }

    /// Takes in what clients of the control socket have asked.
    fn on_asked(&mut self) {
        while let Some((client, command)) = self.control.as_mut().and_then(Control::next) {
            self.on_command(command, Asker::Client(client));
        }
    }

    fn on_command(&mut self, command: Command, asker: Asker) {
        let is_cordon = matches!(command.action, Action::Cordon { .. });
        let answer = match command.action {
            Action::Inspect => {
                self.count_accepted();
                Ok(Reply::Inspection(self.inspection()))
            }
            // Followers are the control socket's own affair, and threads subscribe.
            Action::Events => Ok(Reply::Done),
            Action::Configure { arguments, variables, check: true } => {
                self.compare(arguments, &variables).map(|(_, differences)| Reply::Differences(differences))
            }
            Action::Logs { target, lines, follow } => {
                return self.answer_by_lines(asker, &target, lines, follow);
            }
            Action::Flush => return self.flush_log(asker),
            action => match (self.act(action), command.wait_ms) {
                (Ok(Some(Begun { goal, done, .. })), Some(limit)) => {
                    let limit = (limit != NO_LIMIT).then(|| Duration::from_millis(limit));
                    let until = limit.and_then(|limit| self.now.checked_add(limit));
                    let done = format!("{}: {done}", self.config.name);
                    self.waits.add(Wait { goal, done, asker, since: self.now, until });
                    return;
                }
                (Ok(Some(Begun { begun, .. })), None) => {
                    Ok(Reply::Told(format!("{}: {begun}", self.config.name)))
                }
                // Who was told before may be accepting at this moment: it is not said to be out before that is over.
                (Ok(None), _) if is_cordon && self.may_follow() => {
                    let until = Some(self.now + SETTLES);
                    let (goal, done) = (Goal::NothingFollows, String::new());
                    self.waits.add(Wait { goal, done, asker, since: self.now, until });
                    return;
                }
                (Ok(None), _) => Ok(Reply::Done),
                (Err(failure), _) => Err(failure),
            },
        };
        self.tell(asker, &answer);
    }

    pub(super) fn tell(&mut self, asker: Asker, answer: &Result<Reply, Failure>) {
        match asker {
            // Nobody may be waiting any more.
            Asker::Thread(sender) => drop(sender.send(answer.clone())),
            Asker::Client(client) => {
                if let Some(control) = &mut self.control {
                    control.reply(client, answer, self.now);
                }
            }
        }
    }
}
