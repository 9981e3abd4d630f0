//! Addresses that a worker's socket has in name only: the cluster serves them already, and the socket is bound to none. Nothing is bound here.

use super::super::Shell;
use super::super::os::Os;
use crate::ids::WorkerId;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::{Place, Reply};

/// Most sockets of one worker that are remembered.
pub(super) const MAX_REMEMBERED: usize = 4096;

impl<O: Os> Shell<O> {
    pub(super) fn owns(
        &mut self,
        worker: WorkerId,
        cookie: u64,
        address: &Address,
        place: &Place<'_>,
    ) -> Reply<'static> {
        let file = (place.device, place.inode);
        let served = self.listeners.all.values().find(|listener| match address.path() {
            Some(_) => listener.file == Some(file),
            None => listener.address == *address,
        });
        let given = || self.activated(address, Some(file)).map(|one| one.facts.address);
        let Some(address) = served.map(|listener| listener.address).or_else(given) else {
            // A thunk asks again and again while the file is young.
            if self.requests.last_taken.replace((worker, *address)) != Some((worker, *address)) {
                self.tell_taken(worker, address, None);
            }
            return Reply::NotOwned;
        };
        match self.lives.process_mut(worker) {
            Some(process) if process.owned.len() < MAX_REMEMBERED => {
                process.owned.insert(cookie, address);
                Reply::Owned
            }
            _ => Reply::NotOwned,
        }
    }
}
