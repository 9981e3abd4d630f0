//! The page under threads that run at once, on the machine's own atomics: those of a worker take the steps of their calls, with pauses
//! between them, and the supervisor revokes what it has given at least 10,000 times. Once it is told that nothing follows, nothing does.

extern crate std;

use super::*;
use core::sync::atomic::AtomicBool;
use std::boxed::Box;
use std::sync::Barrier;
use std::thread;
use std::vec::Vec;

const THREADS: u32 = 3;
const REVOKES: u64 = 10_000;
/// So many must have been accepted meanwhile, or it would not have shown: on a busy machine it goes on until then,
const ENOUGH: u64 = REVOKES / 10;
/// but no longer than for so many.
const MOST: u64 = 1_000 * REVOKES;

struct Lane {
    page: Box<LanePage>,
    /// The series of the single that lies in the lane, plus 1; 0 is none.
    single: AtomicU64,
    is_over: AtomicBool,
}

/// Waits for a while that is another each time, sometimes until others have run.
struct Pause(u32);

impl Pause {
    fn take(&mut self) {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        if self.0.is_multiple_of(16) {
            thread::yield_now();
        }
        (0..self.0 % 64).for_each(|_| core::hint::spin_loop());
    }
}

/// Accepts for as long as it may. A connection always waits.
fn serve(lane: &Lane, thread: u32) {
    let (mut turn, mut pause) = (Turn::default(), Pause(thread));
    while !lane.is_over.load(Ordering::Relaxed) {
        pause.take();
        match turn.step(&lane.page, || thread) {
            None | Some(Do::Ring | Do::Exhausted) => {}
            Some(Do::Receive) => turn.received(match lane.single.swap(0, Ordering::SeqCst) {
                0 => Received::Nothing,
                series => Received::Single { series: (series - 1) as u32 },
            }),
            Some(Do::Accept { .. }) => turn.accepted(Came::Connection),
            Some(Do::Linger { .. }) => turn.stays(Stays::Not),
            Some(Do::Watch { .. }) => turn.watches(false),
            Some(Do::Return(_)) => turn = Turn::default(),
        }
    }
}

/// What was accepted in all, and what after it was known that nothing follows.
fn race(lane: &Lane) -> (u64, u64) {
    let (mut pause, mut series, mut late) = (Pause(77), 0u32, 0);
    for generation in 1..=MOST {
        if generation > REVOKES && lane.page.accepted() > ENOUGH {
            break;
        }
        lane.page.open(generation, NO_CEILING);
        lane.single.store(u64::from(series) + 1, Ordering::SeqCst);
        (0..1 + generation % 5).for_each(|_| pause.take());
        lane.page.revoke();
        if lane.single.swap(0, Ordering::SeqCst) == 0 {
            // A thread has taken it off, and may be held up before its mark: it is written off.
            series += 1;
            lane.page.begin_series(series);
        }
        while lane.page.marked().next().is_some() {
            thread::yield_now();
        }
        let accepted = lane.page.accepted();
        (0..5).for_each(|_| pause.take());
        late += lane.page.accepted() - accepted;
    }
    (lane.page.accepted(), late)
}

#[test]
fn nothing_is_accepted_once_nothing_is_open_unused_or_marked() {
    let lane = Lane {
        page: Box::new(LanePage::blank()),
        single: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    };
    let begin = Barrier::new(THREADS as usize + 1);
    let (accepted, late) = thread::scope(|scope| {
        let threads: Vec<_> = (1..=THREADS)
            .map(|thread| {
                scope.spawn({
                    let (lane, begin) = (&lane, &begin);
                    move || {
                        begin.wait();
                        serve(lane, thread);
                    }
                })
            })
            .collect();
        begin.wait();
        let came = race(&lane);
        lane.is_over.store(true, Ordering::Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        came
    });
    assert_eq!(late, 0, "of {accepted}");
    assert!(accepted > ENOUGH, "it would not have shown: {accepted}");
}
