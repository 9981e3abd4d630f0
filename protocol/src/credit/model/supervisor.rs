//! The supervisor of the model: it knows what it granted, reads the pages step by step, and may choose any order of lanes and
//! either kind of credit. What it must do before it sleeps is the protocol.

use super::state::{Known, LANES, Rotation, Sent, State, Supervisor, small};
use super::{Fault, Model, Next};

use Supervisor::*;

impl Model {
    /// Every state to which one step of the supervisor leads.
    pub(super) fn supervisor_steps(&self, state: &State, next: &mut Next) {
        let mut after = *state;
        match state.supervisor {
            Sleep { .. } => {
                let rung = state.lanes.iter().any(|lane| lane.rung);
                if state.event || rung {
                    self.wake(&mut after);
                    next.push("wakes", after);
                }
            }
            Revoke { lane } => {
                let own = &mut after.lanes[usize::from(lane)];
                own.on_page(&self.page, |page| page.revoke());
                own.opened = false;
                own.rotation = Rotation::Leaving;
                after.missed = true;
                after.supervisor = TakeRecords { lane };
                next.push("revokes", after);
            }
            TakeRecords { lane } => {
                let own = &mut after.lanes[usize::from(lane)];
                match own.receive() {
                    Sent::Nothing if self.fault == Fault::SleepsAfterRevoke => {
                        after.supervisor = Sleep { timer: false }
                    }
                    Sent::Nothing => after.supervisor = TellWatcher { lane },
                    Sent::Single => own.granted -= 1,
                    Sent::Open(_) | Sent::Void => {}
                }
                next.push("takes a record back", after);
            }
            TellWatcher { lane } => {
                let own = &mut after.lanes[usize::from(lane)];
                if own.watched != 0 && self.fault != Fault::WatcherSleepsOn {
                    own.send(Sent::Void);
                }
                after.supervisor = Rearm;
                next.push("tells who watches", after);
            }
            Rearm => {
                if !state.armed {
                    after.armed = true;
                    after.event |= state.queue > 0;
                }
                after.supervisor = LookAtQueue;
                next.push("arms the listener", after);
            }
            LookAtQueue => {
                let known = Known { queue: state.queue, ..Known::default() };
                after.supervisor = self.look_at_open(state, 0, known);
                next.push("looks at the queue", after);
            }
            LookAtOpen { lane, mut known } => {
                let own = &mut after.lanes[usize::from(lane)];
                own.opened = own.on_page(&self.page, |page| page.is_open());
                known.open[usize::from(lane)] = own.opened;
                after.supervisor = self.look_at_used(&after, lane, known);
                next.push("looks whether it is open", after);
            }
            LookAtUsed { lane, mut known } => {
                let own = &mut after.lanes[usize::from(lane)];
                let used = small(own.on_page(&self.page, |page| page.used()).into());
                let unused = own.granted - used;
                known.unused[usize::from(lane)] = unused;
                own.lags &= unused > 0;
                let leaves = own.rotation == Rotation::Leaving && unused == 0;
                after.supervisor = if leaves {
                    LookAtMarks { lane, known }
                } else {
                    self.look_at_open(&after, lane + 1, known)
                };
                next.push("looks at what is used", after);
            }
            LookAtMarks { lane, known } => {
                let own = &mut after.lanes[usize::from(lane)];
                if own.on_page(&self.page, |page| page.marked().next().is_none()) {
                    own.rotation = Rotation::Out;
                    own.over = own.generation;
                }
                after.supervisor = self.look_at_open(&after, lane + 1, known);
                next.push("looks for marks", after);
            }
            Grant { known } if state.missed => {
                after.missed = false;
                let wakes = known.queue > 0 && self.fault != Fault::WakesNobodyInstead;
                for lane in after.lanes.iter_mut().filter(|lane| wakes && lane.opened && lane.watched != 0) {
                    lane.send(Sent::Void);
                }
                after.supervisor = Grant { known };
                next.push("wakes others instead", after);
            }
            Grant { known } => self.grant(state, known, next),
            // `accepted_at_most` in its two halves.
            CountMarks { lane, open, known } => {
                let own = &mut after.lanes[usize::from(lane)];
                let marks = match self.fault {
                    Fault::CountsBeforeMarks => own.on_page(&self.page, |page| page.accepted()),
                    _ => own.on_page(&self.page, |page| page.marks_set()).into(),
                };
                after.supervisor = CountAccepted { lane, open, marks: small(marks), known };
                next.push("counts marks", after);
            }
            CountAccepted { lane, open, marks, mut known } => {
                let place = usize::from(lane);
                let own = &mut after.lanes[place];
                let second = match self.fault {
                    Fault::CountsBeforeMarks => own.on_page(&self.page, |page| page.marks_set()).into(),
                    _ => own.on_page(&self.page, |page| page.accepted()),
                };
                let ceiling = self.ceilings[place].unwrap_or_default();
                let left = ceiling.saturating_sub(marks + small(second) + known.unused[place]);
                if left == 0 {
                    known.full[place] = true;
                    known.marked |= marks > 0;
                    after.supervisor = Grant { known };
                    return next.push("finds no room", after);
                }
                self.give(after, lane, open, left.into(), known, next);
            }
            Publish { lane, known } => {
                let own = &mut after.lanes[usize::from(lane)];
                let generation = own.generation.into();
                own.on_page(&self.page, |page| page.publish(generation));
                own.opened = true;
                after.supervisor = SendOpen { lane, known };
                next.push("opens", after);
            }
            SendOpen { lane, mut known } => {
                let own = &mut after.lanes[usize::from(lane)];
                own.send(Sent::Open(own.generation));
                known.open[usize::from(lane)] = true;
                known.given[usize::from(lane)] = true;
                after.supervisor = Grant { known };
                next.push("sends the record", after);
            }
            Hush { known } => {
                after.armed = false;
                after.event = false;
                after.supervisor = AskOpen { lane: 0, known };
                next.push("hushes the listener", after);
            }
            AskOpen { lane, known } => {
                let own = &mut after.lanes[usize::from(lane)];
                let concerns = own.rotation == Rotation::In && !known.full[usize::from(lane)];
                let open = !concerns || own.on_page(&self.page, |page| page.ask_to_ring());
                let last = usize::from(lane) + 1 == LANES;
                after.supervisor = match (open || self.fault == Fault::SleepsWithoutLook, last) {
                    (false, _) => Rearm,
                    (true, true) => Sleep { timer: false },
                    (true, false) => AskOpen { lane: lane + 1, known },
                };
                next.push("asks, hushed", after);
            }
            Ask { lane, known } => {
                let own = usize::from(lane);
                let asks = known.open[own] || known.unused[own] > 0;
                let enough =
                    self.fault == Fault::AsksOnlyForMore && known.unused.iter().sum::<u8>() >= known.queue;
                let open = asks && !enough && after.lanes[own].on_page(&self.page, |page| page.ask_to_ring());
                after.supervisor = match () {
                    () if !asks || enough => self.ask_further(lane, known),
                    () if open != known.open[own] => LookAtQueue,
                    () => AskUsed { lane, known },
                };
                next.push("asks", after);
            }
            AskUsed { lane, known } => {
                let own = &mut after.lanes[usize::from(lane)];
                let used = small(own.on_page(&self.page, |page| page.used()).into());
                let same = own.granted - used == known.unused[usize::from(lane)];
                after.supervisor = if same || self.fault == Fault::DoesNotReadUsedAgain {
                    self.ask_further(lane, known)
                } else {
                    LookAtQueue
                };
                next.push("looks again at what is used", after);
            }
        }
    }

    /// Out of its sleep: events and rings are taken together.
    pub(super) fn wake(&self, state: &mut State) {
        state.event = false;
        for lane in &mut state.lanes {
            lane.rung = false;
        }
        state.supervisor = Rearm;
    }

    /// Looks at this lane and those after it, but for what cannot have changed: only the supervisor opens, and only what was
    /// granted is used.
    fn look_at_open(&self, state: &State, lane: u8, known: Known) -> Supervisor {
        match state.lanes.get(usize::from(lane)) {
            None => Grant { known },
            Some(own) if own.opened => LookAtOpen { lane, known },
            Some(_) => self.look_at_used(state, lane, known),
        }
    }

    fn look_at_used(&self, state: &State, lane: u8, known: Known) -> Supervisor {
        let own = &state.lanes[usize::from(lane)];
        if own.granted > 0 || own.rotation == Rotation::Leaving {
            return LookAtUsed { lane, known };
        }
        self.look_at_open(state, lane + 1, known)
    }

    fn ask_further(&self, lane: u8, known: Known) -> Supervisor {
        if usize::from(lane) + 1 < LANES {
            Ask { lane: lane + 1, known }
        } else {
            Sleep { timer: known.queue > 0 }
        }
    }
}
