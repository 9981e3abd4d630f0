//! The differential test of the thunk: random sequences of socket calls, played by the same program alone and as a worker
//! under a real supervisor, must be answered alike. It decides nothing about what is right: the kernel does.

mod sequence;
mod shrink;

pub use sequence::{Op, Sequence, generate};

use crate::clusters::cluster::Cluster;
use crate::programs::options::Options;
use crate::programs::places::c_program;
use crate::started::native::Native;
use crate::system::temp::TempDir;
use std::fmt;
use std::ops::Range;
use std::path::Path;

/// What both runs said to a sequence, where that was not the same, more than once.
#[derive(Debug)]
pub struct Difference {
    pub seed: u64,
    /// As short as it could be made.
    pub sequence: Sequence,
    pub alone: String,
    pub worker: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "seed {}: a worker is answered otherwise than the program alone", self.seed)?;
        let mut worker = self.worker.lines();
        for alone in self.alone.lines() {
            match worker.next() {
                Some(same) if same == alone => writeln!(out, "    {alone}")?,
                other => {
                    writeln!(out, "  - {alone}")?;
                    writeln!(out, "  + {}", other.unwrap_or("(nothing)"))?;
                }
            }
        }
        worker.try_for_each(|line| writeln!(out, "  + {line}"))
    }
}

/// What a run over many sequences came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub calls: usize,
    /// Differences that were there once and not again.
    pub passing: Vec<Difference>,
    pub differences: Vec<Difference>,
}

/// How often a difference must show to count: a machine that is busy can delay anything.
const TRIES: usize = 3;

/// Plays the sequences of these seeds, in one worker, and alone.
#[track_caller]
pub fn torture(seeds: Range<u64>) -> Outcome {
    torture_against(seeds, &play_in_worker)
}

/// Plays sequences in one way and returns what was said to each.
pub type Player<'a> = &'a dyn Fn(&[Sequence]) -> Vec<String>;

/// Plays the sequences of these seeds alone, and in another way.
#[track_caller]
pub fn torture_against(seeds: Range<u64>, player: Player<'_>) -> Outcome {
    let sequences: Vec<_> = seeds.clone().map(generate).collect();
    let mut outcome =
        Outcome { calls: sequences.iter().map(|each| each.ops.len()).sum(), ..Outcome::default() };
    let alone = play_alone(&sequences);
    let worker = player(&sequences);
    let differing = (0..sequences.len()).filter(|index| alone[*index] != worker[*index]);
    for index in differing {
        let seed = seeds.start + index as u64;
        if differs(&sequences[index], player).is_none() {
            let (alone, worker) = (alone[index].clone(), worker[index].clone());
            let sequence = sequences[index].clone();
            outcome.passing.push(Difference { seed, sequence, alone, worker });
            continue;
        }
        let sequence = shrink::smallest(&sequences[index], player);
        match differs(&sequence, player) {
            Some((alone, worker)) => {
                outcome.differences.push(Difference { seed, sequence, alone, worker });
            }
            None => {
                let (alone, worker) = (alone[index].clone(), worker[index].clone());
                outcome.passing.push(Difference { seed, sequence, alone, worker });
            }
        }
    }
    outcome
}

/// What both runs said, if it differs each time.
fn differs(sequence: &Sequence, player: Player<'_>) -> Option<(String, String)> {
    let same: Vec<_> = (0..TRIES).map(|_| sequence.clone()).collect();
    let (alone, worker) = (play_alone(&same), player(&same));
    let all = std::iter::zip(&alone, &worker).all(|(alone, worker)| alone != worker);
    all.then(|| (alone[0].clone(), worker[0].clone()))
}

fn options(folder: &Path, sequences: &[Sequence]) -> Options {
    let script = folder.join("in");
    std::fs::write(&script, sequence::script(sequences)).expect("the temporary directory is writable");
    Options::workers(1).env("PLAY_IN", script).env("PLAY_OUT", folder.join("out"))
}

#[track_caller]
fn play_alone(sequences: &[Sequence]) -> Vec<String> {
    let folder = TempDir::new();
    let options = options(folder.path(), sequences);
    run(folder.path(), &options, sequences.len())
}

/// Without a supervisor, and with this library preloaded.
#[track_caller]
pub fn play_with(sequences: &[Sequence], library: &Path) -> Vec<String> {
    let folder = TempDir::new();
    let options = options(folder.path(), sequences).env("LD_PRELOAD", library);
    run(folder.path(), &options, sequences.len())
}

#[track_caller]
fn run(folder: &Path, options: &Options, count: usize) -> Vec<String> {
    let (status, said) = Native::run(vec![c_program("play", &[]).into()], options);
    assert!(status.success(), "{status}: {said}");
    transcripts(folder, count)
}

#[track_caller]
fn play_in_worker(sequences: &[Sequence]) -> Vec<String> {
    let folder = TempDir::new();
    let options = options(folder.path(), sequences).flags("--respawn 0 --lag-limit off").at_once();
    let mut cluster = Cluster::start_command(&[c_program("play", &[])], options);
    cluster.wait_exit();
    // Files of sockets that were bound and never listened on stay, as they do alone.
    assert!(cluster.processes().is_empty(), "processes are left");
    transcripts(folder.path(), sequences.len())
}

/// What was said to each sequence.
#[track_caller]
fn transcripts(folder: &Path, count: usize) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("out")).expect("the player has written it");
    let parts: Vec<_> = text.split("sequence ").skip(1).map(str::to_owned).collect();
    assert_eq!(parts.len(), count, "the player has not come to its end");
    // The number is the same for one place only.
    parts.iter().map(|part| part.split_once('\n').map_or("", |(_, rest)| rest).to_owned()).collect()
}
