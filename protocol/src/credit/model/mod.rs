//! A model of the wake-up protocol: a breadth-first search over all orders in which the steps of a supervisor, of the workers'
//! threads and of the kernel can follow each other. The page is the real one, and so is the order of steps in accept();
//! only the supervisor's choices, the queue and the lanes are the model's own.
//!
//! It searches for a connection that waits while a thread which may take it waits too and nothing but time can move, and for
//! accepts without a credit, after a revoke, or above a ceiling. Each rule of the protocol has a test that leaves it out:
//! the search must find the loss.

extern crate std;

mod choices;
mod search;
mod state;
mod supervisor;
mod tests;
mod threads;

use self::search::Next;
use self::state::{Lane, Rotation, Sent, Shape, State, Supervisor, THREADS, Thread, Wait};
use super::LanePage;
use std::boxed::Box;

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// The record of a credit that is still open is received and dropped.
    DropsOpenRecord,
    /// A thread does not look again after it is marked.
    DoesNotLookAgain,
    UnmarksBeforeAccept,
    CountsAfterUnmark,
    /// What a thread took and may not use goes back to whatever credit is open then.
    AllowanceOfAnyGeneration,
    /// A thread that shuts a credit, or uses a single, never rings.
    NeverRings,
    /// Nor does one that has no descriptor for a connection.
    ExhaustedInSilence,
    /// The supervisor sleeps, hushed, although a lane was no longer open.
    SleepsWithoutLook,
    /// It asks to hear of singles only if more connections wait than are granted.
    AsksOnlyForMore,
    DoesNotReadUsedAgain,
    /// It does not look for work for others after a cordon.
    SleepsAfterRevoke,
    CountsBeforeMarks,
    /// A worker whose wait watches the queue is not told that its credit was revoked.
    WatcherSleepsOn,
    /// The kernel may have woken that worker for a connection, and nobody else is woken.
    WakesNobodyInstead,
    /// Who waits in an edge-triggered set finds nothing twice before it shuts an open credit.
    EdgeIsPatient,
}

#[derive(Debug)]
struct Model {
    page: Box<LanePage>,
    start: State,
    ceilings: [Option<u8>; state::LANES],
    /// Open credits that a lane gets at most; after them it gets singles.
    generations: u8,
    fault: Fault,
}

/// Two lanes whose threads wait, nothing granted; `cordon`: the first is taken out of rotation at any time.
fn model(threads: &[(u8, Shape)], arrivals: u8) -> Model {
    let mut all = [Thread::None; THREADS];
    for (place, (lane, shape)) in all.iter_mut().zip(threads) {
        *place = Thread::waits(*lane, *shape);
    }
    let start = State {
        queue: 0,
        to_arrive: arrivals,
        exhaustions: 0,
        armed: true,
        event: false,
        cordon: false,
        leaves: false,
        missed: false,
        supervisor: Supervisor::Sleep { timer: false },
        lanes: [Lane::new(); state::LANES],
        threads: all,
        broken: None,
    };
    let page = Box::new(LanePage::blank());
    // Who may not be patient is asked all the same, and says no.
    page.set_patient(true);
    Model { page, start, ceilings: [None; 2], generations: 3, fault: Fault::None }
}

impl Model {
    /// The second lane holds an open credit at the beginning.
    fn second_is_open(mut self) -> Self {
        let lane = &mut self.start.lanes[1];
        lane.generation = 1;
        lane.on_page(&self.page, |page| page.open(1, super::NO_CEILING));
        lane.send(Sent::Open(1));
        lane.opened = true;
        self
    }

    /// The second lane holds a single at the beginning.
    fn second_has_single(mut self) -> Self {
        self.start.lanes[1].granted = 1;
        self.start.lanes[1].send(Sent::Single);
        self
    }

    /// A wait that watches the queue may stop doing so at any time.
    fn leaves(mut self) -> Self {
        self.start.leaves = true;
        self
    }

    /// The first lane is taken out of rotation at any time.
    fn cordon(mut self) -> Self {
        self.start.cordon = true;
        self
    }

    /// One accept, whichever, finds no descriptor.
    fn exhaustion(mut self) -> Self {
        self.start.exhaustions = 1;
        self
    }

    fn generations(mut self, most: u8) -> Self {
        self.generations = most;
        self
    }

    fn ceiling(mut self, ceiling: u8) -> Self {
        self.ceilings[0] = Some(ceiling);
        self
    }

    fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// What the model does by itself, without the supervisor and the threads.
    fn other_steps(&self, state: &State, next: &mut Next) {
        if state.to_arrive > 0 {
            let mut after = *state;
            after.to_arrive -= 1;
            after.queue += 1;
            after.event |= state.armed;
            // Of those who watch the queue and sleep the kernel wakes one; whom a record has woken sleeps no more.
            let watches = |thread: &Thread| match thread {
                Thread::Waits { lane, wait: Wait::Sleeps, .. } => {
                    let own = &state.lanes[usize::from(*lane)];
                    own.watched != 0 && !own.is_readable()
                }
                _ => false,
            };
            let mut any = false;
            for which in (0..THREADS).filter(|which| watches(&state.threads[*which])) {
                let mut after = after;
                if let Thread::Waits { wait, .. } = &mut after.threads[which] {
                    *wait = Wait::Woken;
                }
                next.push("a connection arrives and wakes one", after);
                any = true;
            }
            if !any {
                next.push("a connection arrives", after);
            }
        }
        let asleep = matches!(state.supervisor, Supervisor::Sleep { .. });
        if state.cordon && asleep {
            let mut after = *state;
            after.cordon = false;
            self.wake(&mut after);
            after.supervisor = Supervisor::Revoke { lane: 0 };
            next.push("a cordon is asked for", after);
        }
    }

    /// The time passes for which a credit may be unused while others wait. In truth it matters only where a worker with a
    /// credit never comes: it must not stand in for a wake-up that was lost, so it does not pass elsewhere.
    fn timer(&self, state: &State, next: &mut Next) {
        let held = |lane: usize| {
            let own = &state.lanes[lane];
            let mut threads = state.threads.iter().filter(|thread| thread.lane() == Some(lane));
            own.has_right() && !own.lags && threads.all(|thread| thread.shape() == Some(Shape::Away))
        };
        let timer = matches!(state.supervisor, Supervisor::Sleep { timer: true });
        if timer && (0..state::LANES).any(held) {
            let mut after = *state;
            for lane in (0..state::LANES).filter(|lane| held(*lane)) {
                after.lanes[lane].lags = true;
            }
            self.wake(&mut after);
            next.push("the timer fires", after);
        }
    }

    /// Nothing but time, or an arrival, can move in this state: whether a connection waits while a thread that may take it
    /// waits, too.
    fn is_lost(&self, state: &State) -> bool {
        state.queue > 0
            && state.threads.iter().any(|thread| {
                thread.is_waiting()
                    && thread.lane().is_some_and(|lane| {
                        let own = &state.lanes[lane];
                        let full = self.ceilings[lane].is_some_and(|ceiling| own.taken >= ceiling);
                        own.rotation == Rotation::In && !full
                    })
            })
    }
}

const LOST: &str = "a connection and a thread wait for each other";
const UNFOUNDED: &str = "accepted without a credit";
const REVOKED: &str = "accepted after it was revoked";
const CEILING: &str = "accepted more than its ceiling";
