//! What waits in a lane, counted and taken back, and what is told from garbage.

use super::*;
use clustermon_protocol::record::Upward;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};

fn lane(window: u32) -> Lane {
    let address = Address::v4(Ipv4Addr::LOCALHOST, 80);
    let worker = WorkerId { slot: 0, incarnation: 1 };
    let place = (worker, BalancerId(0), Holder { pid: 1, fd: 0 });
    // The last one's names are free once its ends are closed, which is elsewhere.
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let nonce = u64::from(std::process::id()) << 32 | NEXT.fetch_add(1, Ordering::Relaxed);
    let ticket = Ticket { slot: 0, number: 0 };
    Lane::new(LaneId(1), nonce, &address, place, ticket, window, record_cost().unwrap()).unwrap()
}

fn connection() -> Connection {
    let (fd, _) = pair().unwrap();
    let peer = Address::v4(Ipv4Addr::LOCALHOST, 5);
    Connection { fd, peer, nonblock: false, balancer: BalancerId(0) }
}

#[test]
fn garbage_is_told_from_what_means_something_one_by_one() {
    let lane = lane(1);
    for bytes in [&b"\x01\x01"[..], b"xyz", &[0; 5000], b"\x02\x00"] {
        // Where the kernel refuses descriptors the garbage comes without.
        message::send(lane.worker_end(), bytes, Some(lane.worker_end()))
            .or_else(|_| message::send(lane.worker_end(), bytes, None))
            .unwrap();
    }
    assert_eq!(lane.next_upward(), Some(Ok(Upward::Nonblock(true))));
    assert_eq!(lane.next_upward(), Some(Err(Garbage)));
    assert_eq!(lane.next_upward(), Some(Err(Garbage)));
    assert_eq!(lane.next_upward(), Some(Ok(Upward::Shut)));
    assert_eq!(lane.next_upward(), None);
}

#[test]
fn what_only_one_side_has_counted_is_forgotten_once_the_lane_is_empty() {
    let receive = |lane: &Lane| message::receive(lane.worker_end(), &mut [0; 256]).unwrap();
    let holds = |lane: &Lane| lane.credits.as_ref().is_some_and(Credits::may_hold_connections);
    let mut lane = lane(8);
    // Given before there is a page, and received after that.
    lane.give(&connection()).unwrap();
    lane.credits = Some(Credits::new(false).unwrap());
    receive(&lane);
    lane.credits.as_ref().unwrap().page().unwrap().count_received();
    assert!(holds(&lane));
    lane.open().unwrap();
    assert!(!holds(&lane));
    lane.take_back();
    // Taken back: nobody receives it.
    lane.give(&connection()).unwrap();
    assert!(holds(&lane));
    lane.open().unwrap();
    assert!(holds(&lane), "it is there");
    assert_eq!(lane.take_back().0.len(), 1);
    lane.open().unwrap();
    assert!(!holds(&lane));
}

#[test]
fn a_thread_whose_turn_was_taken_back_has_been_given_nothing() {
    let mut lane = lane(2);
    lane.credits = Some(Credits::new(false).unwrap());
    lane.given_at = Some(7);
    lane.take_back();
    assert_eq!(lane.given_at, Some(7), "it has taken what it was given");
    lane.grant().unwrap();
    lane.take_back();
    assert_eq!(lane.given_at, None);
}

#[test]
fn what_waits_is_counted_and_taken_back_in_order() {
    for window in [1, 2, 8, 64] {
        let mut lane = lane(window);
        for count in 0..window {
            assert_eq!(lane.waiting(), count);
            lane.give(&connection()).unwrap();
        }
        assert_eq!(lane.waiting(), window);
        assert_eq!(lane.take_back().0.len(), window as usize);
        assert_eq!(lane.waiting(), 0);
        lane.leave_void();
        assert_eq!(lane.waiting(), 1);
        assert_eq!(lane.take_back().0.len(), 0);
    }
}
