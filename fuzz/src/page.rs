//! The page of a lane: filled with anything, as a worker may, and read as the supervisor does; and written by both sides in turn,
//! as arbitrary bytes say, while what each has is counted.

use crate::bytes::Bytes;
use clustermon_protocol::credit::{Came, Do, LanePage, NO_CEILING, Received, SIZE, Stays, Turn};
use std::collections::VecDeque;

/// A page that holds these bytes, and zeros behind them.
fn page_of(data: &[u8]) -> Box<LanePage> {
    let mut page = Box::<LanePage>::new_uninit();
    let len = data.len().min(SIZE);
    // SAFETY: the box has room for SIZE bytes, which is asserted for the type, and `data` for `len`; they do not overlap. A page is
    // made of atomics and numbers, for which any bytes are valid.
    unsafe {
        let to = page.as_mut_ptr().cast::<u8>();
        to.write_bytes(0, SIZE);
        to.copy_from_nonoverlapping(data.as_ptr(), len);
        page.assume_init()
    }
}

const _: () = assert!(size_of::<LanePage>() == SIZE);

/// What the supervisor does with a page in which a worker has written anything: it comes to an end.
pub(crate) fn garbage(data: &[u8]) {
    let page = page_of(data);
    let _ = (page.is_begun(), page.is_patient(), page.may_hold_connections());
    let _ = (page.used(), page.accepted(), page.accepted_at_most());
    assert!(page.marked().count() <= clustermon_protocol::credit::MARKS + 1);
    assert_eq!(page.ask_to_ring(), page.is_open());
    let was_open = page.is_open();
    assert_eq!(page.revoke(), was_open);
    assert!(!page.is_open(), "nobody else writes");
    page.hand_over();
    page.open(7, NO_CEILING);
    assert_eq!(page.open_generation(), Some(7), "whatever was there, it begins anew");
}

/// One thread and the supervisor, by turns.
#[derive(Default)]
struct Lane {
    records: VecDeque<Received>,
    queue: u32,
    generation: u64,
    granted: u32,
    accepted: u64,
    /// The last call left the open credit as it was.
    stays: bool,
    /// The open credit of this generation is watched for by the thread's wait.
    watched: u64,
}

impl Lane {
    /// One call of accept() that does not wait, to its end.
    fn call(&mut self, page: &LanePage, thread: u32, bytes: &mut Bytes<'_>) -> Came {
        let mut turn = Turn::default();
        let mut rights = 0;
        self.stays = false;
        for _ in 0..1_000 {
            match turn.next(page, || thread) {
                Do::Receive => turn.received(match self.records.pop_front() {
                    Some(single @ Received::Single { .. }) => {
                        rights += 1;
                        single
                    }
                    other => other.unwrap_or(Received::Nothing),
                }),
                Do::Accept { .. } => {
                    assert!(page.is_open() || rights > 0, "it accepts without a right");
                    assert!(page.marked().any(|marked| marked == thread), "it accepts and is not marked");
                    rights -= i32::from(!page.is_open());
                    turn.accepted(match (self.queue, bytes.once_in(16)) {
                        (_, true) if bytes.once_in(2) => Came::Exhausted,
                        (_, true) => Came::Error,
                        (0, false) => Came::Nothing,
                        (_, false) => {
                            self.queue -= 1;
                            self.accepted += 1;
                            Came::Connection
                        }
                    });
                }
                Do::Linger { generation } => turn.stays(match (bytes.once_in(4), bytes.once_in(4)) {
                    // Only while its record would bring the thread back.
                    (true, _) if self.records.contains(&Received::Open(generation)) => {
                        self.stays = true;
                        Stays::Open
                    }
                    (false, true) => Stays::Watched,
                    _ => Stays::Not,
                }),
                Do::Watch { generation } => {
                    let watches = bytes.once_in(2);
                    if watches {
                        self.watched = generation;
                    }
                    turn.watches(watches);
                }
                Do::Ring | Do::Exhausted => {}
                Do::Return(came) => {
                    assert!(page.marked().next().is_none(), "a mark is left behind");
                    return came;
                }
            }
        }
        panic!("the call does not come to an end");
    }
}

/// A page that nobody spoils: rights and uses add up, and whoever is told that the queue is empty has no right left.
pub(crate) fn history(data: &[u8]) {
    let (page, mut bytes, mut lane) = (page_of(&[]), Bytes(data), Lane::default());
    page.begin();
    while let Some(what) = bytes.next() {
        match what % 8 {
            0 => {
                lane.granted += 1;
                lane.records.push_back(Received::Single { series: 0 });
            }
            1 if !page.is_open() => {
                lane.generation += 1;
                page.open(lane.generation, bytes.of(&[NO_CEILING, 0, 1, 3]));
                lane.records.push_back(Received::Open(lane.generation));
            }
            1 => {
                page.revoke();
            }
            2 => {
                // Taken back by the supervisor's own copy of the lane's end.
                page.revoke();
                lane.granted -=
                    lane.records.iter().filter(|record| matches!(record, Received::Single { .. })).count()
                        as u32;
                lane.records.clear();
                lane.records.push_back(Received::Void);
            }
            3 => assert_eq!(page.ask_to_ring(), page.is_open()),
            4 => lane.queue += 1 + u32::from(what) / 64,
            _ => {
                let came = lane.call(&page, 1 + u32::from(what), &mut bytes);
                if came == Came::Nothing {
                    assert!(
                        !page.is_open() || lane.stays || lane.watched == lane.generation,
                        "it was told of nothing, and a credit is open that nobody keeps in mind"
                    );
                    assert!(
                        lane.records.is_empty() || lane.stays,
                        "it was told of nothing, and something lies in the lane"
                    );
                }
            }
        }
        let unused =
            lane.records.iter().filter(|record| matches!(record, Received::Single { .. })).count() as u32;
        assert_eq!(
            lane.granted.wrapping_sub(page.used()),
            unused,
            "granted, and neither used nor taken back"
        );
        assert_eq!(page.accepted(), lane.accepted);
        assert_eq!(page.accepted_at_most(), lane.accepted, "nobody is marked");
    }
}
