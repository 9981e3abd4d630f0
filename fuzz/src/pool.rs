//! Turns arbitrary bytes into a history of a cluster: workers, clients, credits, commands, failures, answers that come late or
//! twice, and jumps of the clock. The core checks its invariants after every input; the simulator of its tests accounts for every
//! connection and every credit; each history ends with a stop, a long jump of the clock, and nothing left.

mod choices;

pub(crate) use clustermon::pool::*;

/// The simulator of the core's tests, which needs nothing but what the core shows to everybody.
#[path = "../../supervisor/src/pool/sim/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod sim;

use crate::bytes::Bytes;
use sim::history::{Dispatch, History};

/// The target.
pub fn pool(data: &[u8]) {
    let mut bytes = Bytes(data);
    let settings = choices::settings(&mut bytes);
    let (listening, is_honest) = (bytes.below(6), bytes.once_in(2));
    let by =
        [Dispatch::Handoff, Dispatch::Credit, Dispatch::AtTheQueue, Dispatch::AtTheQueue][bytes.below(4)];
    let mut history = History::new(settings, listening, by);
    while let Some(what) = bytes.next() {
        let Some(act) = choices::act(what, &mut bytes, is_honest) else { continue };
        history.act(act);
        if is_honest {
            history.is_honest();
        }
    }
    history.end(is_honest);
}
