//! Makes a sequence that shows a difference as short as it gets. Every round plays many shorter ones at once.

use super::{Player, Sequence, play_alone};

/// The shortest found that still shows a difference.
pub(super) fn smallest(sequence: &Sequence, player: Player<'_>) -> Sequence {
    let mut best = sequence.clone();
    let mut chunk = best.ops.len().div_ceil(2).max(1);
    loop {
        let shorter = without_chunks(&best, chunk);
        if let Some(found) = first_that_differs(shorter, player) {
            best = found;
            chunk = chunk.min(best.ops.len().div_ceil(2)).max(1);
        } else if chunk == 1 {
            return best;
        } else {
            chunk = chunk.div_ceil(2);
        }
        if best.ops.len() <= 1 {
            return best;
        }
    }
}

fn without_chunks(sequence: &Sequence, chunk: usize) -> Vec<Sequence> {
    let starts = (0..sequence.ops.len()).step_by(chunk);
    let without = |start: usize| {
        let end = (start + chunk).min(sequence.ops.len());
        let ops = [&sequence.ops[..start], &sequence.ops[end..]].concat();
        Sequence { ops }
    };
    starts.map(without).filter(|shorter| !shorter.ops.is_empty()).collect()
}

/// Each is played twice, so that chance does not lead the search astray.
fn first_that_differs(sequences: Vec<Sequence>, player: Player<'_>) -> Option<Sequence> {
    if sequences.is_empty() {
        return None;
    }
    let twice: Vec<_> = sequences.iter().flat_map(|each| [each.clone(), each.clone()]).collect();
    let (alone, worker) = (play_alone(&twice), player(&twice));
    let differ = |index: usize| alone[index] != worker[index];
    let found = (0..sequences.len()).find(|index| differ(index * 2) && differ(index * 2 + 1));
    found.map(|index| sequences[index].clone())
}
