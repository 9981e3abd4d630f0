//! From latencies to figures, and from runs to one ratio. Plain arithmetic; it measures nothing.

use std::collections::HashMap;
use std::time::Duration;

/// What one run of the client saw.
#[derive(Debug, Default)]
pub(in crate::bench) struct Sample {
    /// Of every request that was begun in time and answered, in no order.
    pub latencies: Vec<Duration>,
    /// Requests answered before the time was up, which is what the rate counts.
    pub answered_in_time: usize,
    /// Requests that were not answered, or wrongly.
    pub failed: usize,
    /// How long requests were begun.
    pub lasted: Duration,
    /// Processor time of the server meanwhile.
    pub spent: Duration,
    /// What each process has answered, where that was asked for.
    pub by_process: HashMap<u32, Share>,
}

/// Of the answers of one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::bench) struct Share {
    pub answers: usize,
    pub slowest: Duration,
}

/// One run in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::bench) struct Figures {
    /// Answers a second.
    pub rate: f64,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
    /// Standard deviation of the latency.
    pub deviation: Duration,
    pub failed: usize,
    /// Processor time of the server for each answer.
    pub spent: Duration,
}

impl Sample {
    pub(in crate::bench) fn figures(mut self) -> Figures {
        self.latencies.sort_unstable();
        Figures {
            rate: self.answered_in_time as f64 / self.lasted.as_secs_f64(),
            p50: percentile(&self.latencies, 50.0),
            p99: percentile(&self.latencies, 99.0),
            max: self.latencies.last().copied().unwrap_or_default(),
            deviation: deviation(&self.latencies),
            failed: self.failed,
            spent: self.spent.checked_div(self.latencies.len() as u32).unwrap_or_default(),
        }
    }
}

/// The smallest value that `share` percent do not exceed (nearest rank); zero of none.
fn percentile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (share / 100.0 * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

fn deviation(values: &[Duration]) -> Duration {
    if values.is_empty() {
        return Duration::ZERO;
    }
    let seconds = || values.iter().map(Duration::as_secs_f64);
    let mean = seconds().sum::<f64>() / values.len() as f64;
    let variance = seconds().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    Duration::from_secs_f64(variance.sqrt())
}

/// The middle value, or the mean of both; NaN of none.
pub(in crate::bench) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Figure by figure the median of several runs; failures are added up.
pub(in crate::bench) fn typical(runs: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| median(runs.iter().map(figure).collect());
    let time = |figure: fn(&Figures) -> f64| Duration::try_from_secs_f64(of(figure)).unwrap_or_default();
    Figures {
        rate: of(|run| run.rate),
        p50: time(|run| run.p50.as_secs_f64()),
        p99: time(|run| run.p99.as_secs_f64()),
        max: runs.iter().map(|run| run.max).max().unwrap_or_default(),
        deviation: time(|run| run.deviation.as_secs_f64()),
        failed: runs.iter().map(|run| run.failed).sum(),
        spent: time(|run| run.spent.as_secs_f64()),
    }
}

/// The most answers of one process by the least of another; infinite if fewer than `workers` have answered.
pub(in crate::bench) fn spread(by_process: &HashMap<u32, Share>, workers: usize) -> f64 {
    let answers = || by_process.values().map(|share| share.answers);
    match (answers().max(), answers().min()) {
        (Some(most), Some(least)) if by_process.len() >= workers => most as f64 / least as f64,
        _ => f64::INFINITY,
    }
}

/// Ratios of pairs: median, least, most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) struct Ratio {
    pub median: f64,
    pub least: f64,
    pub most: f64,
}

/// Run by run `figure(ours) / figure(rival)`.
pub(in crate::bench) fn ratio(ours: &[Figures], rival: &[Figures], figure: fn(&Figures) -> f64) -> Ratio {
    let pairs: Vec<f64> = ours.iter().zip(rival).map(|(a, b)| figure(a) / figure(b)).collect();
    Ratio {
        median: median(pairs.clone()),
        least: pairs.iter().copied().fold(f64::INFINITY, f64::min),
        most: pairs.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn figures_of_a_sample() {
        let latencies = ms(&(1..=100).rev().collect::<Vec<_>>());
        let sample = Sample {
            latencies,
            answered_in_time: 90,
            failed: 3,
            lasted: Duration::from_secs(2),
            spent: Duration::from_millis(200),
            ..Sample::default()
        };
        let figures = sample.figures();
        assert_eq!(figures.rate, 45.0);
        assert_eq!([figures.p50, figures.p99, figures.max], [50, 99, 100].map(Duration::from_millis));
        assert_eq!((figures.failed, figures.spent), (3, Duration::from_millis(2)));
        assert_eq!(
            Sample { lasted: Duration::from_secs(1), ..Sample::default() }.figures(),
            Figures::default()
        );
    }

    #[test]
    fn deviation_is_from_the_mean() {
        assert_eq!(deviation(&ms(&[2, 2])), Duration::ZERO);
        assert_eq!(deviation(&ms(&[1, 3])), Duration::from_millis(1));
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0]), 2.5);
        assert!(median(vec![]).is_nan());
    }

    #[test]
    fn spread_wants_all_workers() {
        let share = |answers| Share { answers, slowest: Duration::ZERO };
        let two = HashMap::from([(1, share(30)), (2, share(20))]);
        assert_eq!((spread(&two, 2), spread(&two, 3)), (1.5, f64::INFINITY));
    }

    #[test]
    fn ratios_are_pairwise() {
        let runs = |rates: [f64; 3]| rates.map(|rate| Figures { rate, ..Figures::default() });
        let found = ratio(&runs([1.0, 20.0, 300.0]), &runs([2.0, 10.0, 100.0]), |run| run.rate);
        assert_eq!(found, Ratio { median: 2.0, least: 0.5, most: 3.0 });
    }
}
