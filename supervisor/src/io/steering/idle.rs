//! How many connections wait for a member, as the program counts them: those that it was given less those that its thread has accepted. What
//! was given and never came, or went elsewhere, has to be taken off; how much that is shows in the length of the queue.

/// Looks after which a difference that never went away is none of connections on their way.
const LOOKS: u32 = 5;

/// What is known of one member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Idle {
    /// The process whose page is looked at, and where in it.
    pub(crate) at: Option<(u32, u32)>,
    elsewhere: u32,
    looks: u32,
    least: u32,
}

impl Idle {
    /// It is another page or thread. Whoever waits by now is known from the queue.
    pub(crate) fn begin(&mut self, at: Option<(u32, u32)>, given: u64, accepted: u64, waiting: u32) {
        let elsewhere = (given as u32).wrapping_sub(accepted as u32).wrapping_sub(waiting);
        *self = Self { at, elsewhere, looks: 0, least: u32::MAX };
    }

    /// What is to be taken off.
    pub(crate) fn elsewhere(&self) -> u32 {
        self.elsewhere
    }

    /// One more look at the same. True if something else is to be taken off now.
    pub(crate) fn look(&mut self, given: u64, accepted: u64, waiting: u32) -> bool {
        let counted = (given as u32).wrapping_sub(accepted as u32).wrapping_sub(self.elsewhere) as i32;
        let more = counted.wrapping_sub(waiting as i32);
        if more < 0 {
            // It has accepted what came from elsewhere.
            self.take_off(more as u32);
            return true;
        }
        self.looks += 1;
        self.least = self.least.min(more as u32);
        if self.looks < LOOKS {
            return false;
        }
        let never_came = self.least;
        self.take_off(never_came);
        never_came > 0
    }

    fn take_off(&mut self, count: u32) {
        self.elsewhere = self.elsewhere.wrapping_add(count);
        (self.looks, self.least) = (0, u32::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_comes_is_taken_off_in_the_end_and_what_is_on_its_way_is_not() {
        let mut idle = Idle::default();
        idle.begin(Some((1, 64)), 10, 3, 2);
        assert_eq!(idle.elsewhere(), 5);
        // Two were given and are on their way; then they are there, and one more never is.
        assert!(!idle.look(12, 3, 2));
        assert!(!idle.look(13, 3, 4));
        for _ in 0..2 {
            assert!(!idle.look(13, 7, 0));
        }
        assert!(idle.look(13, 7, 0));
        assert_eq!(idle.elsewhere(), 6);
        assert!((0..20).all(|_| !idle.look(13, 7, 0)));
    }

    #[test]
    fn what_came_from_elsewhere_is_seen_at_once() {
        let mut idle = Idle::default();
        idle.begin(None, 10, 10, 0);
        assert!(idle.look(10, 12, 0));
        assert_eq!(idle.elsewhere(), (-2i32) as u32);
        assert!(!idle.look(11, 13, 0));
    }
}
