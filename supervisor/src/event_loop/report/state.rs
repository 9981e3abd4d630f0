//! What the shell holds to tell people and programs: why things happened, what was told last, and whom there is to tell.

use super::announce::Told;
use super::causes::Causes;
use crate::io::output::detach_pipe::DetachPipe;
use crate::io::readiness::service_manager::ServiceManager;

/// What was told, and what is to be.
#[derive(Debug)]
pub(in crate::event_loop) struct Reports {
    pub(in crate::event_loop) causes: Causes,
    pub(in crate::event_loop) told: Told,
    /// Something has changed since it was last told.
    pub(in crate::event_loop) is_news: bool,
    /// Every worker has been running at once.
    pub(in crate::event_loop) was_ready: bool,
    pub(in crate::event_loop) notifier: ServiceManager,
    /// Whoever started this process in the background waits for a word.
    pub(in crate::event_loop) detached: DetachPipe,
}

impl Reports {
    pub(in crate::event_loop) fn new(notifier: ServiceManager) -> Self {
        Self {
            causes: Causes::default(),
            told: Told::default(),
            is_news: true,
            was_ready: false,
            notifier,
            detached: DetachPipe::from_env(),
        }
    }
}
