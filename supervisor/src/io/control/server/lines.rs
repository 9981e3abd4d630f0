//! Clients who ask for what was written last, and those who read along. It keeps no lines itself.

use super::{ClientId, Control, Gone};
use crate::api::{Logs, Reply};
use crate::io::control::wire;
use crate::io::output::recent::Recent;

impl Control {
    /// Answers a command by lines of the logs, and has the client get those that follow, from this number on, of this worker or of all.
    pub(crate) fn reply_and_go_on(
        &mut self,
        client: ClientId,
        logs: Logs,
        (next, worker): (u64, Option<String>),
    ) {
        let Some(connection) = self.clients.get_mut(client.place) else { return };
        if connection.serial != client.serial {
            return;
        }
        match connection.answer(&wire::answer(&Ok(Reply::Logs(logs)))) {
            Ok(()) => {
                connection.read_lines(next, worker);
                self.are_lines_read = true;
            }
            Err(Gone) => self.remove(client.place),
        }
    }

    /// Tells what was written since to all who read along, as far as they take it.
    pub(crate) fn tell_lines(&mut self, recent: &Recent) {
        if !self.are_lines_read {
            return;
        }
        let Self { clients, .. } = self;
        let mut gone = Vec::new();
        for (place, client) in clients.iter_mut() {
            if client.tell_lines(recent).is_err() {
                gone.push(place);
            }
        }
        gone.into_iter().for_each(|place| self.remove(place));
        self.are_lines_read = self.clients.iter().any(|(_, client)| client.is_reading_lines());
    }
}
