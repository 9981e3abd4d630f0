//! Several things to be done, each as soon as those before it are done, and all others beside it: one that takes long or fails holds up
//! only what comes after it.

use parking_lot::{Condvar, Mutex};

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Waits,
    Done,
    Failed,
    /// One before it failed.
    Skipped,
}

/// Does `act` for each number below `count`, once it is done for all that `before` names; the turn says whether one of these failed.
/// Returns what `act` said of each.
pub(super) fn take(
    count: usize,
    before: impl Fn(usize) -> Vec<usize> + Sync,
    act: impl Fn(usize, Turn) -> Turn + Sync,
) -> Vec<Turn> {
    let turns = Mutex::new(vec![Turn::Waits; count]);
    let changed = Condvar::new();
    std::thread::scope(|scope| {
        for number in 0..count {
            let (turns, changed, before, act) = (&turns, &changed, &before, &act);
            scope.spawn(move || {
                let before = before(number);
                let mut all = turns.lock();
                while before.iter().any(|number| all[*number] == Turn::Waits) {
                    changed.wait(&mut all);
                }
                let is_done = before.iter().all(|number| all[*number] == Turn::Done);
                drop(all);
                let turn = act(number, if is_done { Turn::Done } else { Turn::Skipped });
                turns.lock()[number] = turn;
                changed.notify_all();
            });
        }
    });
    turns.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_comes_after_those_before_it() {
        let order = Mutex::new(Vec::new());
        let before = |number: usize| match number {
            0 => vec![2],
            1 => vec![0, 2],
            _ => Vec::new(),
        };
        let turns = take(3, before, |number, _| {
            order.lock().push(number);
            Turn::Done
        });
        assert_eq!((turns, order.into_inner()), (vec![Turn::Done; 3], vec![2, 0, 1]));
    }

    #[test]
    fn what_fails_holds_up_only_what_comes_after_it() {
        let before = |number: usize| if number == 1 { vec![0] } else { Vec::new() };
        let turns = take(3, before, |number, turn| match (number, turn) {
            (0, _) => Turn::Failed,
            (_, turn) => turn,
        });
        assert_eq!(turns, [Turn::Failed, Turn::Skipped, Turn::Done]);
    }
}
