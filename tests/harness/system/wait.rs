//! Waiting for a condition, with a deadline: the only way a test may let time pass.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

/// How long anything that should happen soon may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until the condition holds; panics with `what` once `limit` has passed.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || condition().then_some(()));
}

/// Waits until the question has an answer, and returns it; panics with `what` once `limit` has passed.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut question: impl FnMut() -> Option<T>) -> T {
    wait_for_ok(what, limit, || question().ok_or("no answer"))
}

/// The same for a question that says why it has no answer yet: the panic says the last reason too.
#[track_caller]
pub fn wait_for_ok<T, E: Display>(
    what: &str,
    limit: Duration,
    mut question: impl FnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match question() {
            Ok(answer) => return answer,
            Err(reason) => {
                assert!(Instant::now() < deadline, "waited {limit:?} in vain: {what} (last: {reason})");
            }
        }
        // Nothing tells us of changes in another process: look again soon.
        thread::sleep(Duration::from_millis(2));
    }
}
