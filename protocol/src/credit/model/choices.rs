//! What the supervisor of the model may grant: any kind of credit to any lane that may have one, until as many have a right as
//! connections wait.

use super::state::{Known, Supervisor::*};
use super::state::{LANES, Rotation, Sent, State, small};
use super::{Model, Next, Shape};
use crate::credit::NO_CEILING;

impl Model {
    /// One more credit to any lane that may have one, or the end of granting once as many have a right as connections wait.
    pub(super) fn grant(&self, state: &State, known: Known, next: &mut Next) {
        let mut after = *state;
        if known.queue == 0 {
            after.supervisor = Sleep { timer: false };
            return next.push("sleeps", after);
        }
        let rights: u8 = (0..LANES)
            .map(|lane| match state.lanes[lane].lags {
                true => 0,
                false => known.unused[lane] + u8::from(known.given[lane]),
            })
            .sum();
        let mut eligible = false;
        for lane in 0..LANES {
            let own = &state.lanes[lane];
            if own.rotation != Rotation::In
                || own.lags
                || known.open[lane]
                || known.full[lane]
                || known.unused[lane] >= self.most_singles(lane)
            {
                continue;
            }
            eligible = true;
            let kinds: &[bool] =
                if self.may_open(state, lane) && known.unused[lane] == 0 { &[false, true] } else { &[false] };
            for open in kinds {
                let (lane, open) = (lane as u8, *open);
                if self.ceilings[usize::from(lane)].is_none() {
                    self.give(after, lane, open, NO_CEILING, known, next);
                } else {
                    after.supervisor = CountMarks { lane, open, known };
                    next.push("chooses a lane with a ceiling", after);
                }
            }
        }
        if rights < known.queue && eligible {
            return;
        }
        if known.marked {
            after.supervisor = LookAtQueue;
            return next.push("waits for a mark to go", after);
        }
        let out = |lane: usize| state.lanes[lane].rotation != Rotation::In || known.full[lane];
        if known.open.contains(&true) && (0..LANES).all(|lane| known.open[lane] || out(lane)) {
            after.supervisor = Hush { known };
            next.push("has opened all", after);
        }
        after.supervisor = Ask { lane: 0, known };
        next.push("has granted", after);
    }

    fn most_singles(&self, lane: usize) -> u8 {
        let blocked = self
            .start
            .threads
            .iter()
            .filter(|thread| thread.lane() == Some(lane) && thread.shape() == Some(Shape::Blocking));
        small(blocked.count().max(1) as u64)
    }

    fn may_open(&self, state: &State, lane: usize) -> bool {
        let blocks = |shape| shape == Some(Shape::Blocking);
        let lane_blocks =
            state.threads.iter().any(|thread| thread.lane() == Some(lane) && blocks(thread.shape()));
        !lane_blocks && state.lanes[lane].generation < self.generations
    }

    pub(super) fn give(
        &self,
        mut after: State,
        lane: u8,
        open: bool,
        left: u32,
        mut known: Known,
        next: &mut Next,
    ) {
        let own = &mut after.lanes[usize::from(lane)];
        if open {
            own.generation += 1;
            let generation = own.generation.into();
            own.on_page(&self.page, |page| page.allow(generation, left));
            after.supervisor = Publish { lane, known };
            next.push("sets the allowance", after);
        } else {
            own.granted += 1;
            own.send(Sent::Single);
            known.unused[usize::from(lane)] += 1;
            after.supervisor = Grant { known };
            next.push("sends a single", after);
        }
    }
}
