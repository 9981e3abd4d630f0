//! When a worker that died is started again: its restart budget, the doubling delay and the jitter.
//! It rolls no dice: the jitter comes from a seed, so the same inputs give the same delays.

use crate::pool::Settings;
use std::time::Duration;

/// Fraction of a delay by which the jitter may lengthen or shorten it.
const JITTER: f64 = 0.2;

/// What is left of one worker's patience.
#[derive(Clone, Debug)]
pub(in crate::pool) struct Backoff {
    /// Restarts left; `None` is no limit.
    left: Option<u32>,
    /// The next delay, before jitter.
    delay: Duration,
    jitter: SplitMix64,
}

impl Backoff {
    pub(super) fn new(slot: u32, settings: &Settings) -> Self {
        // Slots differ so that workers which died together do not come back together.
        let jitter =
            SplitMix64(settings.seed.wrapping_add(u64::from(slot).wrapping_mul(0xA076_1D64_78BD_642F)));
        Self { left: settings.restart.limit(), delay: first_delay(settings), jitter }
    }

    /// How long to wait before the worker starts again after it lived for `uptime`; `None` when the budget is spent.
    pub(in crate::pool) fn retry(&mut self, uptime: Duration, settings: &Settings) -> Option<Duration> {
        let lived = uptime >= settings.restart.min_uptime;
        if lived {
            self.refill(settings);
        }
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(1)?;
        }
        if lived {
            return Some(Duration::ZERO);
        }
        let delay = self.delay;
        self.delay = delay.saturating_mul(2).min(settings.restart.max_restart_delay);
        Some(self.jittered(delay))
    }

    /// As if nothing had happened yet.
    pub(in crate::pool) fn refill(&mut self, settings: &Settings) {
        self.left = settings.restart.limit();
        self.delay = first_delay(settings);
    }

    /// Restarts left; `None` is no limit.
    #[cfg(test)]
    pub(super) fn left(&self) -> Option<u32> {
        self.left
    }

    fn jittered(&mut self, delay: Duration) -> Duration {
        let factor = 1.0 + JITTER * (2.0 * self.jitter.unit() - 1.0);
        Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay)
    }
}

fn first_delay(settings: &Settings) -> Duration {
    settings.restart.restart_delay.min(settings.restart.max_restart_delay)
}

/// Steele, Lea and Flood's generator: eight bytes of state, any seed is good.
#[derive(Clone, Debug)]
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In `0.0..1.0`.
    fn unit(&mut self) -> f64 {
        // 53 bits are what an f64 holds exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::sim::{settings, with};

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn assert_near(delay: Option<Duration>, nominal: Duration) {
        let delay = delay.expect("the budget is not spent");
        assert!(delay >= nominal.mul_f64(1.0 - JITTER), "{delay:?} is too short for {nominal:?}");
        assert!(delay <= nominal.mul_f64(1.0 + JITTER), "{delay:?} is too long for {nominal:?}");
    }

    #[test]
    fn the_delay_doubles_up_to_its_limit_and_starts_anew_after_a_long_life() {
        let settings = with(settings(1), |s| {
            s.restart.restart_delay = ms(100);
            s.restart.max_restart_delay = ms(500)
        });
        let mut backoff = Backoff::new(0, &settings);
        for nominal in [100, 200, 400, 500, 500] {
            assert_near(backoff.retry(ms(1), &settings), ms(nominal));
        }
        assert_eq!(backoff.retry(settings.restart.min_uptime, &settings), Some(Duration::ZERO));
        assert_near(backoff.retry(settings.restart.min_uptime - ms(1), &settings), ms(100));
        assert_near(backoff.retry(ms(1), &settings), ms(200));
    }

    #[test]
    fn the_budget_counts_every_restart_and_is_refilled_by_a_long_life() {
        let settings = with(settings(1), |s| s.restart.respawn = 2);
        let mut backoff = Backoff::new(0, &settings);
        assert!(backoff.retry(ms(1), &settings).is_some());
        assert!(backoff.retry(ms(1), &settings).is_some());
        assert_eq!(backoff.left(), Some(0));
        assert_eq!(backoff.retry(ms(1), &settings), None);
        assert_eq!(backoff.retry(settings.restart.min_uptime, &settings), Some(Duration::ZERO));
        assert_eq!(backoff.left(), Some(1));
    }

    #[test]
    fn a_budget_of_nothing_never_restarts() {
        let settings = with(settings(1), |s| s.restart.respawn = 0);
        let mut backoff = Backoff::new(0, &settings);
        assert_eq!(backoff.retry(ms(1), &settings), None);
        assert_eq!(backoff.retry(settings.restart.min_uptime, &settings), None);
    }

    #[test]
    fn the_jitter_uses_its_whole_range_differs_by_slot_and_repeats_with_the_seed() {
        let settings = with(settings(2), |s| {
            s.restart.restart_delay = ms(1000);
            s.restart.max_restart_delay = ms(1000)
        });
        let delays = |slot| {
            let mut backoff = Backoff::new(slot, &settings);
            (0..200).map(|_| backoff.retry(ms(1), &settings).expect("no limit")).collect::<Vec<_>>()
        };
        let first = delays(0);
        assert!(first.iter().min() < Some(&ms(830)) && first.iter().max() > Some(&ms(1170)));
        assert!(first.iter().all(|d| (ms(800)..=ms(1200)).contains(d)));
        assert_eq!(first, delays(0));
        assert_ne!(first, delays(1));
    }

    #[test]
    fn absurd_delays_do_not_overflow() {
        let settings = with(settings(1), |s| {
            s.restart.restart_delay = Duration::MAX;
            s.restart.max_restart_delay = Duration::MAX
        });
        let mut backoff = Backoff::new(0, &settings);
        for _ in 0..20 {
            assert!(backoff.retry(ms(1), &settings).expect("no limit") > Duration::MAX / 2);
        }
    }
}
