//! Whether the log of this process can be written, and what was lost since it could not. One for the process, as its streams are.

use parking_lot::Mutex;

/// Why it cannot be written, and how many lines were lost since it last could.
static FAILURE: Mutex<Option<(&str, u64)>> = Mutex::new(None);

/// How the last lines fared: why some could not be written, and how many. What changes is logged, so it comes where it can.
pub(in crate::io::output) fn tell(now: Option<(&'static str, u64)>) {
    let mut failure = FAILURE.lock();
    let before = failure.take();
    *failure = now.map(|(why, lost)| (why, lost + before.map_or(0, |(_, lost)| lost)));
    drop(failure);
    match (before, now) {
        (None, Some((why, _))) => {
            log::error!("the log cannot be written: {why}; lines are lost until it can")
        }
        (Some((why, lost)), None) => log::warn!("the log is written again; {lost} lines were lost: {why}"),
        (None, None) | (Some(_), Some(_)) => {}
    }
}

/// Why it cannot be written now.
pub(crate) fn failing() -> Option<&'static str> {
    FAILURE.lock().map(|(why, _)| why)
}
