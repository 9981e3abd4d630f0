//! What the cluster is told while it runs: from other threads and over the control socket. Each command becomes inputs
//! of the core; whoever waits for the outcome is answered when the core shows it.

use super::Shell;
use crate::api::{Action, Command, Failure, Reply};
use crate::link::Order;
use crossbeam_channel::Sender;

/// Who asked.
#[derive(Debug)]
pub(super) enum Asker {
    Thread(Sender<Result<Reply, Failure>>),
}

impl Shell {
    /// Takes in what other threads have ordered.
    pub(super) fn on_orders(&mut self) {
        while let Some(Order { command, answer }) =
            self.inbox.as_ref().and_then(|inbox| inbox.orders.try_recv().ok())
        {
            self.on_command(command, Asker::Thread(answer));
        }
    }

    fn on_command(&mut self, command: Command, asker: Asker) {
        let answer = match command.action {
            Action::Inspect => Ok(Reply::Inspection(self.inspection())),
            Action::Stop { .. } => {
                self.told_to_stop = true;
                self.input(crate::pool::Input::Stop);
                Ok(Reply::Done)
            }
            action => Err(Failure::Refused { what: format!("{action:?} is not known to a running cluster") }),
        };
        self.tell(asker, answer);
    }

    pub(super) fn tell(&self, asker: Asker, answer: Result<Reply, Failure>) {
        match asker {
            // Nobody may be waiting any more.
            Asker::Thread(sender) => drop(sender.send(answer)),
        }
    }

    /// The cluster is at rest: the last picture stays for those who ask later.
    pub(super) fn settle(&mut self) {
        let picture = self.inspection();
        if let Some(inbox) = &self.inbox {
            *inbox.board.picture.write() = Some(picture);
            inbox.board.set_waker(None);
        }
    }
}
