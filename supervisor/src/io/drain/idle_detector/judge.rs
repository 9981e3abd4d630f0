//! Whether something may be in flight on a connection: from what the kernel tells of its queues and its silence, or,
//! where that tells no silence, from what has changed since earlier looks.

use crate::io::sockets::sock_diag::{tcp, unix};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::io) enum State {
    /// Something is in flight.
    Busy,
    /// Nothing is in flight if it stays as it is for so long.
    SilentIn(Duration),
    Silent,
}

/// What earlier looks have seen of connections whose silence the kernel does not tell, by cookie.
#[derive(Debug, Default)]
pub(in crate::io) struct History {
    seen: HashMap<u64, SeenTraffic>,
}

#[derive(Debug)]
struct SeenTraffic {
    /// What a byte either way would change.
    mark: [u64; 4],
    since: Instant,
    /// The look at which it was there.
    last: Instant,
}

impl History {
    /// How long the connection has been the same.
    fn silence(&mut self, cookie: u64, mark: [u64; 4], now: Instant) -> Duration {
        let seen = self.seen.entry(cookie).or_insert(SeenTraffic { mark, since: now, last: now });
        if seen.mark != mark {
            *seen = SeenTraffic { mark, since: now, last: now };
        }
        seen.last = now;
        now - seen.since
    }

    /// Forgets connections that this look has not seen.
    pub(in crate::io) fn end_look(&mut self, now: Instant) {
        self.seen.retain(|_, seen| seen.last == now);
    }
}

/// Judges a TCP or MPTCP connection.
pub(in crate::io) fn tcp(
    socket: &tcp::Socket,
    grace: Duration,
    history: &mut History,
    now: Instant,
) -> State {
    // A FIN counts as one byte; it asks for nothing.
    let (fin_in, fin_out) = match socket.state {
        tcp::ESTABLISHED => (0, 0),
        tcp::CLOSE_WAIT => (1, 0),
        tcp::FIN_WAIT1 | tcp::FIN_WAIT2 => (0, 1),
        _ => (1, 1),
    };
    if socket.unread > fin_in || socket.unsent > fin_out {
        return State::Busy;
    }
    if fin_out == 1 {
        // The program has said its last word, and the client has it.
        return State::Silent;
    }
    let tcp::Traffic { received, sent, sent_ago, received_ago, .. } = socket.traffic;
    if received == Some(fin_in.into()) && fin_in == 1 {
        // The client has gone without a word.
        return State::Silent;
    }
    if received == Some(0) && sent == Some(0) {
        // Nobody has said anything. The kernel counts from when the connection came about, which may be before the program
        // has taken it; a request may be on its way until a grace after that, or after the first look.
        return silent(history.silence(socket.cookie, [0; 4], now), grace);
    }
    // A first request that has no answer yet. Where the program speaks first, silence after its greeting is like any other.
    if sent == Some(0) {
        return State::Busy;
    }
    let silence = match (sent_ago, received_ago) {
        (Some(sent), Some(received)) => sent.min(received),
        _ => history.silence(socket.cookie, [0, 0, received.unwrap_or(0), sent.unwrap_or(0)], now),
    };
    silent(silence, grace)
}

/// Judges a unix connection.
pub(in crate::io) fn unix(
    socket: &unix::Socket,
    grace: Duration,
    history: &mut History,
    now: Instant,
) -> State {
    if socket.unread > 0 || socket.unsent > 0 && !socket.alone {
        // Remembered, so that the silence begins when this ends.
        history.silence(socket.cookie, [u64::from(socket.unread), u64::from(socket.unsent), 0, 0], now);
        return State::Busy;
    }
    if socket.alone {
        return State::Silent;
    }
    silent(history.silence(socket.cookie, [0; 4], now), grace)
}

fn silent(silence: Duration, grace: Duration) -> State {
    match grace.checked_sub(silence) {
        Some(missing) if !missing.is_zero() => State::SilentIn(missing),
        _ => State::Silent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(2);

    #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
    fn begin() -> Instant {
        Instant::now()
    }

    /// A connection that was served, five seconds ago.
    fn served() -> tcp::Socket {
        let ago = Some(Duration::from_secs(5));
        let (received, sent) = (Some(9), Some(9));
        let traffic = tcp::Traffic {
            received,
            sent,
            written: sent,
            sent_ago: ago,
            received_ago: ago,
            round_trip: None,
        };
        tcp::Socket { state: tcp::ESTABLISHED, port: 80, inode: 1, cookie: 1, unread: 0, unsent: 0, traffic }
    }

    fn judged(change: impl Fn(&mut tcp::Socket), grace: Duration) -> State {
        let mut socket = served();
        change(&mut socket);
        tcp(&socket, grace, &mut History::default(), begin())
    }

    #[test]
    fn what_is_in_flight_is_busy_however_long_ago() {
        for grace in [GRACE, Duration::ZERO] {
            assert_eq!(judged(|_| {}, grace), State::Silent);
            assert_eq!(judged(|socket| socket.unread = 1, grace), State::Busy);
            assert_eq!(judged(|socket| socket.unsent = 1, grace), State::Busy);
            assert_eq!(judged(|socket| socket.traffic.sent = Some(0), grace), State::Busy);
        }
    }

    #[test]
    fn who_has_never_said_a_word_is_waited_for_from_the_first_look_on() {
        let mut history = History::default();
        let start = begin();
        let mut look = |after: u64, received, sent| {
            let mut socket = served();
            (socket.traffic.received, socket.traffic.sent) = (Some(received), Some(sent));
            let now = start + Duration::from_millis(after);
            let state = tcp(&socket, GRACE, &mut history, now);
            history.end_look(now);
            state
        };
        // It has been open for five seconds.
        assert_eq!(look(0, 0, 0), State::SilentIn(GRACE));
        assert_eq!(look(1500, 0, 0), State::SilentIn(GRACE / 4));
        assert_eq!(look(2000, 0, 0), State::Silent);
        // A request that comes after all is one.
        assert_eq!(look(2100, 9, 0), State::Busy);
        // After an answer, its age counts.
        assert_eq!(look(2200, 9, 9), State::Silent);
        assert_eq!(judged(|socket| socket.traffic.received = Some(0), Duration::ZERO), State::Silent);
    }

    #[test]
    fn a_greeting_is_like_any_answer() {
        let greeted = |ago: u64| {
            move |socket: &mut tcp::Socket| {
                socket.traffic.received = Some(0);
                socket.traffic.sent_ago = Some(Duration::from_millis(ago));
            }
        };
        assert_eq!(judged(greeted(500), GRACE), State::SilentIn(Duration::from_millis(1500)));
        assert_eq!(judged(greeted(2000), GRACE), State::Silent);
    }

    #[test]
    fn the_younger_of_the_two_ages_counts() {
        let young = Some(Duration::from_millis(500));
        let missing = State::SilentIn(Duration::from_millis(1500));
        assert_eq!(judged(|socket| socket.traffic.sent_ago = young, GRACE), missing);
        assert_eq!(judged(|socket| socket.traffic.received_ago = young, GRACE), missing);
        assert_eq!(judged(|socket| socket.traffic.sent_ago = young, Duration::ZERO), State::Silent);
    }

    #[test]
    fn a_fin_is_no_request_and_no_answer() {
        let closed = |unread, received| {
            move |socket: &mut tcp::Socket| {
                socket.state = tcp::CLOSE_WAIT;
                (socket.unread, socket.traffic.received) = (unread, Some(received));
            }
        };
        assert_eq!(judged(closed(1, 9), GRACE), State::Silent);
        assert_eq!(judged(closed(2, 9), GRACE), State::Busy);
        assert_eq!(judged(closed(1, 1), GRACE), State::Silent);
        let shut =
            |unsent| move |socket: &mut tcp::Socket| (socket.state, socket.unsent) = (tcp::FIN_WAIT1, unsent);
        assert_eq!(judged(shut(1), GRACE), State::Silent);
        assert_eq!(judged(shut(2), GRACE), State::Busy);
    }

    #[test]
    fn unix_silence_is_counted_from_the_last_change_seen() {
        let mut history = History::default();
        let start = begin();
        let mut look = |after: u64, unread, unsent, alone| {
            let socket = unix::Socket { inode: 1, cookie: 7, name: b"x".to_vec(), unread, unsent, alone };
            let now = start + Duration::from_millis(after);
            let state = unix(&socket, GRACE, &mut history, now);
            history.end_look(now);
            state
        };
        assert_eq!(look(0, 0, 0, false), State::SilentIn(GRACE));
        assert_eq!(look(1500, 4, 0, false), State::Busy);
        assert_eq!(look(1600, 0, 0, false), State::SilentIn(GRACE));
        assert_eq!(look(1700, 0, 9, false), State::Busy);
        assert_eq!(look(2000, 0, 0, false), State::SilentIn(GRACE));
        assert_eq!(look(3000, 0, 0, false), State::SilentIn(GRACE / 2));
        assert_eq!(look(4000, 0, 0, false), State::Silent);
        assert_eq!(look(4100, 0, 9, true), State::Silent);
        assert_eq!(look(4100, 1, 0, true), State::Busy);
    }
}
