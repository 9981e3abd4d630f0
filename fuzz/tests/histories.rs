//! Histories, after those that have failed before, by `cargo xtask simulate`. A history that fails tells its seed and how to go through it again, and the
//! seed is written to `seeds.txt`, so that it comes first from then on.

use clustermon::simulation::run_seed;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many histories, unless the variable says otherwise: `cargo xtask simulate` has the event loop optimised, and goes through 10,000.
const HISTORIES: u64 = 100;
/// How many threads go through them.
const THREADS: u64 = 2;

/// One history has failed: the others need not be gone through.
static HAS_FAILED: AtomicBool = AtomicBool::new(false);

/// The seed of the history that this thread is in.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if !std::thread::panicking() || HAS_FAILED.swap(true, Ordering::SeqCst) {
            return;
        }
        let seed = self.0;
        let mut stderr = std::io::stderr();
        let _ = writeln!(
            stderr,
            "the history of seed {seed} has failed; again: cargo xtask simulate --seed {seed}"
        );
        if !kept().contains(&seed) {
            let file = OpenOptions::new().append(true).open(place());
            if file.and_then(|mut file| writeln!(file, "{seed}")).is_err() {
                let _ = writeln!(stderr, "the seed could not be written to {:?}", place());
            }
        }
    }
}

fn run(seed: u64) {
    let _told = Seed(seed);
    run_seed(seed);
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

fn place() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/seeds.txt"].iter().collect()
}

/// Seeds that have failed before.
fn kept() -> Vec<u64> {
    let text = std::fs::read_to_string(place()).expect("the file of seeds lies beside this one");
    let seeds = text.lines().filter_map(|line| line.split('#').next().map(str::trim));
    let seeds = seeds.filter(|seed| !seed.is_empty());
    seeds.map(|seed| seed.parse().unwrap_or_else(|_| panic!("no seed: {seed}"))).collect()
}

#[test]
fn histories_end_well() {
    if let Some(seed) = number("CLUSTERMON_SEED") {
        // What the supervisor says on the way tells most of what there is to know.
        let _ = env_logger::builder().filter_level(log::LevelFilter::Trace).is_test(false).try_init();
        return run(seed);
    }
    kept().into_iter().for_each(run);
    let from = number("CLUSTERMON_SEEDS_FROM").unwrap_or(0);
    let end = from + number("CLUSTERMON_HISTORIES").unwrap_or(HISTORIES);
    let next = AtomicU64::new(from);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !HAS_FAILED.load(Ordering::SeqCst) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    run(seed);
                }
            });
        }
    });
}
