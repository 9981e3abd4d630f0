//! Random histories: an honest shell with random workers and clients, and one that is also late, wrong and repetitive.
//! Invariants are checked after every input, and the simulator accounts for every connection.

use super::acts::{any_settings, dishonest, honest};
use crate::pool::tests::sim::history::{Dispatch, History};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

/// The seed of the histories, the same each time: whether a change passes is not left to chance. Others are gone through by
/// `PROPTEST_RNG_SEED=N PROPTEST_CASES=100000 cargo test -p clustermon --lib random`; what is found becomes a test of its own.
const SEED: u64 = 20_261_129;

pub(super) fn config() -> Config {
    let config = Config::default();
    let rng_seed = match config.rng_seed {
        RngSeed::Random => RngSeed::Fixed(SEED),
        chosen @ RngSeed::Fixed(_) => chosen,
    };
    Config { cases: config.cases.max(1_024), failure_persistence: None, rng_seed, ..config }
}

fn dispatch() -> impl Strategy<Value = Dispatch> {
    prop_oneof![Just(Dispatch::Handoff), Just(Dispatch::Credit), Just(Dispatch::AtTheQueue)]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn nothing_is_lost_whatever_happens(
        settings in any_settings(),
        listening in 0usize..6,
        by in dispatch(),
        acts in prop::collection::vec(dishonest(), 1..150),
    ) {
        let mut history = History::new(settings, listening, by);
        for act in acts {
            history.act(act);
        }
        history.end(false);
    }

    #[test]
    fn no_connection_waits_beside_a_lane_with_room(
        settings in any_settings(),
        listening in 0usize..6,
        by in dispatch(),
        acts in prop::collection::vec(honest(), 1..150),
    ) {
        let mut history = History::new(settings, listening, by);
        for act in acts {
            history.act(act);
            history.is_honest();
        }
        history.end(true);
    }
}
