//! Lets nobody new in at a listening socket while what was on its way is still accepted. When that is over is found out
//! here; what follows from it is the core's to say.

use super::super::Shell;
use super::super::connections::accepting::mute;
use super::super::os::Os;
use crate::ids::BalancerId;
use crate::pool::Input;
use std::time::{Duration, Instant};

/// Handshakes under way are looked for this often, and no longer than this.
const STEP: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(1);

/// A socket that lets nobody new in.
#[derive(Clone, Copy, Debug)]
pub(in crate::event_loop) struct Closing {
    balancer: BalancerId,
    next: Instant,
    give_up_at: Instant,
}

impl<O: Os> Shell<O> {
    pub(in crate::event_loop) fn stop_intake(&mut self, balancer: BalancerId) {
        let Some(listener) = self.listeners.all.get_mut(&balancer) else {
            return self.pool.handle(self.now, Input::Emptied { balancer });
        };
        listener.closing = true;
        if listener.given {
            // Who comes now is served by who has the socket next.
            listener.pending = false;
            mute(&self.poll, listener, true);
            self.listeners.ready.retain(|ready| *ready != balancer);
            return self.pool.handle(self.now, Input::Emptied { balancer });
        }
        if self.steering.has(balancer) {
            self.steering.stop_intake(balancer);
            self.listeners.closing.push(Closing {
                balancer,
                next: self.now,
                give_up_at: self.now + PATIENCE,
            });
            return;
        }
        if let Err(error) = self.os.stop_intake(listener) {
            log::debug!("{}: whoever comes now may be let in: {error}", listener.address);
        }
        // Once more, whatever the poll has told: nothing else may come to tell.
        listener.pending = !listener.by_kernel;
        self.make_ready(balancer);
        self.listeners.closing.push(Closing { balancer, next: self.now, give_up_at: self.now + PATIENCE });
    }

    /// When to look again for connections that are on their way.
    pub(in crate::event_loop) fn closing_deadline(&self) -> Option<Instant> {
        self.listeners.closing.iter().map(|closing| closing.next).min()
    }

    /// Looks whether anything is left of what was on its way.
    pub(in crate::event_loop) fn look_at_intakes(&mut self) {
        let mut emptied = Vec::new();
        let now = self.now;
        let Self { os, listeners, steering, .. } = self;
        let (ready, listeners, closing) = (&mut listeners.ready, &mut listeners.all, &mut listeners.closing);
        closing.retain_mut(|one| {
            let Some(listener) = listeners.get_mut(&one.balancer) else {
                emptied.push(one.balancer);
                return false;
            };
            if one.next > now {
                return true;
            }
            one.next = now + STEP;
            // What the loop has yet to accept is not looked for.
            if listener.pending && now < one.give_up_at {
                if !ready.contains(&one.balancer) {
                    ready.push_back(one.balancer);
                }
                return true;
            }
            // Where workers accept by themselves there is nothing to be done but to look.
            let group = steering.is_empty(one.balancer);
            let is_group = group.is_some();
            match group.unwrap_or_else(|| os.is_intake_empty(listener)) {
                Ok(false) if now < one.give_up_at => {
                    if !is_group {
                        listener.pending = !listener.by_kernel;
                        ready.push_back(one.balancer);
                    }
                    true
                }
                Ok(_) => {
                    emptied.push(one.balancer);
                    false
                }
                Err(error) => {
                    log::debug!("{}: who is on the way cannot be told: {error}", listener.address);
                    emptied.push(one.balancer);
                    false
                }
            }
        });
        for balancer in emptied {
            self.input(Input::Emptied { balancer });
        }
    }
}
