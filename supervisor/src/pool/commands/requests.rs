//! What several requests to stop the cluster mean together: one that arrives twice, or somebody who has waited long enough.
//! It only judges, and stops nothing.

use crate::pool::vocabulary::deadlines::after;
use std::time::{Duration, Instant};

/// Requests within this time of the first are one: an entrypoint passes on what its process group gets, too, and a shell
/// whose terminal vanishes passes on what the kernel sends.
const ONE: Duration = Duration::from_secs(1);

/// What somebody asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Request {
    /// Stop when the connections are done with.
    Stop,
    /// Stop without waiting for connections.
    Halt,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Do what it says.
    Begin,
    /// It is under way.
    Same,
    /// Who asks has waited, and waits no more: kill what is left.
    Kill,
}

/// The requests so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Requests {
    /// When the first came, and the most that was asked for since.
    under_way: Option<(Instant, Request)>,
}

impl Requests {
    /// One more has come.
    pub(crate) fn take(&mut self, now: Instant, request: Request) -> Meaning {
        match self.under_way {
            Some((first, _)) if now >= after(first, ONE) => Meaning::Kill,
            Some((_, most)) if request <= most => Meaning::Same,
            Some((first, _)) => {
                self.under_way = Some((first, request));
                Meaning::Begin
            }
            None => {
                self.under_way = Some((now, request));
                Meaning::Begin
            }
        }
    }

    /// Somebody has asked.
    pub(crate) fn any(&self) -> bool {
        self.under_way.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What requests at these times, in milliseconds, mean.
    fn meanings(requests: &[(u64, Request)]) -> Vec<Meaning> {
        #[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
        let start = Instant::now();
        let mut so_far = Requests::default();
        assert!(!so_far.any());
        let take = |&(at, request): &(u64, Request)| so_far.take(start + Duration::from_millis(at), request);
        requests.iter().map(take).collect()
    }

    #[test]
    fn one_request_that_arrives_more_than_once_is_one() {
        use Meaning::{Begin, Same};
        for request in [Request::Stop, Request::Halt] {
            assert_eq!(meanings(&[(0, request), (0, request), (999, request)]), [Begin, Same, Same]);
        }
        assert_eq!(meanings(&[(0, Request::Halt), (20, Request::Stop)]), [Begin, Same]);
    }

    #[test]
    fn a_later_one_kills() {
        use Meaning::{Begin, Kill, Same};
        for first in [Request::Stop, Request::Halt] {
            for second in [Request::Stop, Request::Halt] {
                assert_eq!(meanings(&[(0, first), (1000, second)]), [Begin, Kill]);
            }
        }
        // The second of three does not put it off.
        let three = [(0, Request::Stop), (900, Request::Stop), (1100, Request::Stop)];
        assert_eq!(meanings(&three), [Begin, Same, Kill]);
    }

    #[test]
    fn who_asks_for_more_gets_it() {
        use Meaning::{Begin, Same};
        let more = [(0, Request::Stop), (20, Request::Halt), (40, Request::Stop)];
        assert_eq!(meanings(&more), [Begin, Begin, Same]);
    }
}
