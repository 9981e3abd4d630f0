//! Between a loop and the threads that speak to it: commands in, events and the latest picture out. It decides nothing
//! and waits for nobody.

use crate::api::{Command, Event, Failure, Inspection, Reply};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use mio::Waker;
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Events that may wait for one subscriber; more are counted and dropped.
const EVENTS: usize = 4096;

/// A command from another thread, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) command: Command,
    pub(crate) answer: Sender<Result<Reply, Failure>>,
}

/// The loop's end.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub(crate) orders: Receiver<Order>,
    pub(crate) board: Arc<Board>,
}

/// What both sides see.
#[derive(Default)]
pub(crate) struct Board {
    /// The cluster as the loop last described it.
    pub(crate) picture: RwLock<Option<Inspection>>,
    subscribers: Mutex<Vec<Subscriber>>,
    waker: Mutex<Option<Arc<Waker>>>,
}

#[derive(Debug)]
struct Subscriber {
    events: Sender<Event>,
    missed: AtomicU64,
}

impl Board {
    /// A new subscriber; it ends when the receiver is dropped.
    pub(crate) fn subscribe(&self) -> Receiver<Event> {
        let (events, receiver) = bounded(EVENTS);
        self.subscribers.lock().push(Subscriber { events, missed: AtomicU64::new(0) });
        receiver
    }

    /// Tells every subscriber; one that does not take its events is told how many it missed when it takes them again.
    pub(crate) fn publish(&self, event: &Event) {
        self.subscribers.lock().retain(|subscriber| subscriber.tell(event));
    }

    /// True if somebody listens.
    pub(crate) fn has_subscribers(&self) -> bool {
        !self.subscribers.lock().is_empty()
    }

    /// The loop is there, or no longer.
    pub(crate) fn set_waker(&self, waker: Option<Arc<Waker>>) {
        *self.waker.lock() = waker;
    }

    /// Makes the loop look at its orders.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            // A waker fails only if its poll is gone, and then nobody needs to be woken.
            let _ = waker.wake();
        }
    }
}

impl Subscriber {
    /// False once nobody listens any more.
    fn tell(&self, event: &Event) -> bool {
        let missed = self.missed.load(Ordering::Relaxed);
        if missed > 0 {
            match self.events.try_send(Event::Missed { count: missed }) {
                Ok(()) => self.missed.store(0, Ordering::Relaxed),
                Err(TrySendError::Full(_)) => {
                    self.missed.fetch_add(1, Ordering::Relaxed);
                    return true;
                }
                Err(TrySendError::Disconnected(_)) => return false,
            }
        }
        match self.events.try_send(event.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("picture", &self.picture).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_subscriber_is_told_what_it_missed_and_a_gone_one_forgotten() {
        let board = Board::default();
        let receiver = board.subscribe();
        let event = Event::Log { text: "x".to_owned() };
        for _ in 0..EVENTS + 3 {
            board.publish(&event);
        }
        assert_eq!(receiver.try_iter().count(), EVENTS);
        board.publish(&event);
        assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [Event::Missed { count: 3 }, event.clone()]);
        drop(receiver);
        board.publish(&event);
        assert!(!board.has_subscribers());
    }
}
