//! Tests of the judge with samples that are written down.

use super::{Judge, Look, Sample, Sit};
use std::time::Duration;

const SITS: Look = Look { sits: true, switches: 7 };
const RUNS: Look = Look { sits: false, switches: 7 };

fn us(count: u64) -> Duration {
    Duration::from_micros(count)
}

fn sample(at: Duration, queue: u32, workers: &[Look]) -> Sample {
    Sample { at, queue, workers: workers.to_vec(), supervisor: 0, starved: false }
}

/// What samples a millisecond apart have shown: sits that became stalls, and sits that ended or were still going on.
fn judge(samples: impl IntoIterator<Item = Sample>) -> (Vec<Sit>, Vec<Sit>) {
    let (mut judge, mut begun, mut all) = (Judge::default(), Vec::new(), Vec::new());
    for sample in samples {
        let findings = judge.see(sample);
        begun.extend(findings.begun);
        all.extend(findings.ended);
    }
    all.extend(judge.finish());
    (begun, all)
}

fn every_ms(count: u64, queue: u32, workers: &[Look]) -> Vec<Sample> {
    (0..count).map(|ms| sample(us(ms * 1000), queue, workers)).collect()
}

#[test]
fn who_sits_for_over_five_milliseconds_has_stalled() {
    let (begun, all) = judge(every_ms(6, 1, &[SITS, RUNS]));
    assert_eq!((begun.len(), all.len(), all[0].counted), (0, 1, us(5000)), "it is five, not more");
    let (begun, all) = judge(every_ms(9, 1, &[RUNS, SITS]));
    assert_eq!((begun.len(), begun[0].worker, begun[0].counted), (1, 1, us(6000)));
    assert_eq!((all[0].counted, all[0].is_stall()), (us(8000), true));
}

#[test]
fn a_queue_that_was_seen_empty_begins_anew() {
    let mut samples = every_ms(10, 1, &[SITS]);
    samples[5].queue = 0;
    samples[5].workers.clear();
    let (begun, all) = judge(samples);
    assert_eq!(begun, []);
    assert_eq!(all.iter().map(|sit| sit.counted).collect::<Vec<_>>(), [us(4000), us(3000)]);
}

#[test]
fn who_was_given_a_processor_begins_anew() {
    let mut samples = every_ms(10, 1, &[SITS]);
    for sample in &mut samples[5..] {
        sample.workers[0].switches = 8;
    }
    assert_eq!(judge(samples).0, []);
}

#[test]
fn who_is_awake_does_not_sit() {
    let mut samples = every_ms(10, 1, &[SITS]);
    samples[5].workers[0].sits = false;
    assert_eq!(judge(samples).0, []);
    assert_eq!(judge(every_ms(10, 1, &[RUNS])).1, []);
}

#[test]
fn late_samples_are_evidence_of_nothing() {
    // 2 ms, then 30 without the watcher, then 2 again: unclear.
    let times = [0, 1000, 2000, 32_000, 33_000, 34_000];
    let (begun, all) = judge(times.map(|at| sample(us(at), 1, &[SITS])));
    assert_eq!(begun, []);
    assert_eq!((all.len(), all[0].counted, all[0].late), (1, us(4000), us(30_000)));
    assert!(all[0].is_unclear());
    // Nor do they acquit: what was seen before and after adds up.
    let times = [0, 1000, 2000, 3000, 33_000, 34_000, 35_000, 36_000];
    let (begun, all) = judge(times.map(|at| sample(us(at), 1, &[SITS])));
    assert_eq!((begun.len(), all[0].counted, all[0].late), (1, us(6000), us(30_000)));
}

#[test]
fn who_was_told_and_has_no_processor_is_no_stall() {
    let mut samples = every_ms(10, 1, &[SITS]);
    for sample in &mut samples[2..7] {
        sample.starved = true;
    }
    let (begun, all) = judge(samples);
    assert_eq!((begun.len(), all[0].counted, all[0].starved), (0, us(4000), us(5000)));
    assert!(all[0].is_unclear() && !all[0].is_stall());
}

#[test]
fn tells_what_others_did_meanwhile() {
    let moving = |ms: u64| Look { sits: false, switches: 100 + 3 * ms };
    let samples = (0..9).map(|ms| Sample {
        supervisor: ms,
        queue: 9 - ms as u32,
        ..sample(us(ms * 1000), 1, &[SITS, moving(ms)])
    });
    let (_, all) = judge(samples);
    assert_eq!((all.len(), all[0].others, all[0].supervisor), (1, 24, 8));
    assert_eq!((all[0].most, all[0].last), (9, 1));
}
