//! The threads of the workers: what each of them does next. Their steps within accept() are those of [`Turn`] itself.

use super::super::turn::{At, Right};
use super::super::*;
use super::state::{Rotation, Sent, Shape, State, Thread, Wait, small};
use super::{CEILING, Fault, Model, Next, REVOKED, UNFOUNDED};

impl Model {
    /// Every state to which one step of this thread leads.
    pub(super) fn thread_steps(&self, state: &State, which: usize, next: &mut Next) {
        match state.threads[which] {
            Thread::None => {}
            Thread::Waits { lane, shape, wait } if shape.is_direct() => {
                self.wait_directly(state, which, (lane, shape), wait, next);
            }
            Thread::Waits { lane, shape, .. } => {
                let mut after = *state;
                let own = &mut after.lanes[usize::from(lane)];
                let wakes = match shape {
                    Shape::LevelOnce | Shape::LevelGreedy | Shape::LevelPatient | Shape::Blocking => {
                        own.is_readable()
                    }
                    Shape::EdgeGreedy => core::mem::take(&mut own.edge) && own.is_readable(),
                    Shape::Away | Shape::DirectOnce | Shape::DirectGreedy => false,
                };
                if wakes {
                    after.threads[which] = Thread::Runs { lane, shape, turn: Turn::default() };
                    next.push("wakes", after);
                }
            }
            Thread::Runs { lane, shape, turn } => self.run(state, which, lane, shape, turn, next),
        }
    }

    /// A wait that watches the queue, too, while the lane's open credit holds.
    fn wait_directly(&self, state: &State, which: usize, own: (u8, Shape), wait: Wait, next: &mut Next) {
        let (lane, shape) = own;
        let mut after = *state;
        let place = usize::from(lane);
        let own = &mut after.lanes[place];
        let holds = own.on_page(&self.page, |page| page.open_generation()) == Some(own.watched.into());
        let waits = |wait| Thread::Waits { lane, shape, wait };
        let runs = Thread::Runs { lane, shape, turn: Turn::default() };
        match wait {
            Wait::Begins => {
                if state.leaves && state.lanes[place].watched != 0 && holds {
                    let mut after = *state;
                    after.leaves = false;
                    let own = &mut after.lanes[place];
                    let generation = core::mem::take(&mut own.watched).into();
                    own.rung |= own.on_page(&self.page, |page| page.shut(generation)) != Shut::Not;
                    next.push("stops watching", after);
                }
                if !holds {
                    own.watched = 0;
                }
                // Who has just accepted one is told that there may be another.
                let told = own.watched != 0 && !own.vain;
                after.threads[which] = if told { runs } else { waits(Wait::Arms) };
                next.push("begins to wait", after);
            }
            Wait::Arms => {
                let wakes = own.watched != 0 && state.queue > 0;
                after.threads[which] = waits(if wakes { Wait::Woken } else { Wait::Sleeps });
                next.push("waits", after);
            }
            Wait::Sleeps => {
                if own.is_readable() {
                    after.threads[which] = runs;
                    next.push("wakes", after);
                }
            }
            Wait::Woken if holds => {
                own.vain = false;
                after.threads[which] = runs;
                next.push("is told of the queue", after);
            }
            Wait::Woken => {
                own.watched = 0;
                after.threads[which] = waits(Wait::Begins);
                next.push("was woken and has no right", after);
            }
        }
    }

    /// Nobody but the thread itself can tell when it makes this step, so that it may as well follow the one before.
    fn is_private(&self, at: &At) -> bool {
        let marks = self.start.cordon || self.ceilings.iter().any(Option::is_some);
        match at {
            At::Over(_) | At::Linger(_) | At::Watch(_) => true,
            At::Mark(_) | At::MarkForSingle(_) | At::LookAtSeries(..) => !marks,
            At::Unmark(..) | At::Count(..) => !marks,
            _ => false,
        }
    }

    fn run(&self, state: &State, which: usize, lane: u8, shape: Shape, mut turn: Turn, next: &mut Next) {
        let mut after = *state;
        let own = usize::from(lane);
        self.plant(&mut after, own, &mut turn);
        let name = name(&turn.at);
        let right = match turn.at {
            At::Accept(right, _) => Some(right),
            _ => None,
        };
        match after.lanes[own].on_page(&self.page, |page| turn.step(page, || which as u32 + 1)) {
            None => {
                if let (Fault::UnmarksBeforeAccept, At::Accept(_, mark)) = (self.fault, turn.at) {
                    after.lanes[own].on_page(&self.page, |page| page.unmark(mark));
                }
            }
            Some(Do::Receive) => {
                if shape == Shape::Blocking && !after.lanes[own].is_readable() {
                    return;
                }
                turn.received(match after.lanes[own].receive() {
                    Sent::Nothing => Received::Nothing,
                    Sent::Single => Received::Single { series: 0 },
                    Sent::Open(generation) => Received::Open(generation.into()),
                    Sent::Void => Received::Void,
                });
            }
            Some(Do::Accept { open }) => {
                let right = right.expect("it is told to accept where it accepts");
                if after.exhaustions > 0 {
                    let mut exhausted = after;
                    exhausted.exhaustions -= 1;
                    let mut turn = turn;
                    turn.accepted(Came::Exhausted);
                    exhausted.threads[which] = Thread::Runs { lane, shape, turn };
                    next.push("has no descriptor", exhausted);
                }
                let came = self.accept(&mut after, own, right);
                after.lanes[own].vain &= !(open && came == Came::Connection);
                turn.accepted(came);
                if let (Fault::CountsAfterUnmark, At::Count(_, mark)) = (self.fault, turn.at) {
                    after.lanes[own].on_page(&self.page, |page| page.unmark(mark));
                }
            }
            // The record that stays in the lane brings the thread back.
            Some(Do::Linger { generation }) if shape.is_direct() => {
                // Who comes though nothing has told him was woken by what lies in the lane.
                let own = &mut after.lanes[own];
                let was_vain = core::mem::replace(&mut own.vain, true);
                let stays = u64::from(own.watched) == generation && !was_vain;
                turn.stays(if stays { Stays::Open } else { Stays::Watched });
            }
            Some(Do::Watch { generation }) if shape.is_direct() => {
                let own = &mut after.lanes[own];
                let watches = own.on_page(&self.page, |page| page.open_generation()) == Some(generation);
                if watches {
                    (own.watched, own.vain) = (small(generation), true);
                }
                turn.watches(watches);
            }
            Some(Do::Linger { .. }) => {
                let patient = shape == Shape::LevelPatient || self.fault == Fault::EdgeIsPatient;
                let stays = patient && !core::mem::replace(&mut after.lanes[own].vain, true);
                turn.stays(if stays { Stays::Open } else { Stays::Not });
            }
            Some(Do::Watch { .. }) => turn.watches(false),
            Some(Do::Exhausted) => after.lanes[own].rung = true,
            Some(Do::Ring) => after.lanes[own].rung = true,
            Some(Do::Return(came)) => {
                let once = matches!(shape, Shape::LevelOnce | Shape::DirectOnce);
                let again = shape == Shape::Blocking || !once && came == Came::Connection;
                after.threads[which] = match again {
                    true => Thread::Runs { lane, shape, turn: Turn::default() },
                    false => Thread::waits(lane, shape),
                };
                return next.push(name, after);
            }
        }
        if self.is_private(&turn.at) {
            return self.run(&after, which, lane, shape, turn, next);
        }
        after.threads[which] = Thread::Runs { lane, shape, turn };
        next.push(name, after);
    }

    /// What the kernel does, and whether it might have been asked to.
    fn accept(&self, state: &mut State, lane: usize, right: Right) -> Came {
        if state.queue == 0 {
            return Came::Nothing;
        }
        state.queue -= 1;
        let own = &mut state.lanes[lane];
        own.taken += 1;
        let wrong = match right {
            Right::Single => own.unused() == 0,
            Right::Open(generation) => small(generation) > own.generation || small(generation) <= own.over,
        };
        if wrong {
            state.broken = Some(UNFOUNDED);
        }
        let own = &state.lanes[lane];
        if own.rotation == Rotation::Out {
            state.broken = Some(REVOKED);
        }
        if self.ceilings[lane].is_some_and(|ceiling| own.taken > ceiling) {
            state.broken = Some(CEILING);
        }
        Came::Connection
    }

    /// The faults of a worker that the model must find.
    fn plant(&self, state: &mut State, lane: usize, turn: &mut Turn) {
        let lane = &mut state.lanes[lane];
        match (self.fault, turn.at) {
            (Fault::DropsOpenRecord, At::ShutAndRing(_)) => turn.at = At::Over(Came::Nothing),
            (Fault::DoesNotLookAgain, At::LookAgain(generation, mark)) => {
                turn.at = At::Accept(Right::Open(generation), mark);
            }
            (Fault::AllowanceOfAnyGeneration, At::LookAgain(generation, _)) => {
                let now = lane.generation.into();
                if lane.on_page(&self.page, |page| page.open_generation()) != Some(generation) {
                    lane.on_page(&self.page, |page| page.return_allowance(now));
                }
            }
            (Fault::NeverRings, At::Ring(then)) => turn.at = then.map_or(At::Look, At::Over),
            (Fault::ExhaustedInSilence, At::Exhausted) => turn.at = At::Over(Came::Exhausted),
            _ => {}
        }
    }
}

fn name(at: &At) -> &'static str {
    match at {
        At::Look => "looks",
        At::Allow(_) => "takes an allowance",
        At::Mark(_) | At::MarkForSingle(_) => "marks",
        At::LookAtSeries(..) => "looks at the series",
        At::LookAgain(..) => "looks again",
        At::Accept(..) => "accepts",
        At::Count(..) => "counts",
        At::GiveBack(..) => "gives the allowance back",
        At::Unmark(..) => "unmarks",
        At::Linger(_) => "may leave it open",
        At::Shut(_) => "shuts",
        At::ShutExhausted(_) => "shuts, without a descriptor",
        At::Use(_) => "counts its single",
        At::TakeRing(_) => "looks for RING",
        At::Ring(_) => "rings",
        At::Exhausted => "says that it has no descriptor",
        At::Receive => "receives",
        At::Watch(_) => "may watch the queue",
        At::ShutAndRing(_) => "shuts what it received",
        At::Over(_) => "returns",
        At::Moved => "is lost",
    }
}
