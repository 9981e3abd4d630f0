//! What a program that links the library wants to be called for, as functions; commands of the user's are `hook_commands`. Plain function values; they decide nothing by
//! themselves and are called from the loop's thread unless said otherwise.

use crate::api::{Environment, Health};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Given the handle on the cluster, whose type is not known here.
pub(crate) type OnStart = Arc<dyn Fn(&dyn Any) + Send + Sync>;
pub(crate) type OnHealth = Arc<dyn Fn(&str, &Health) -> bool + Send + Sync>;
pub(crate) type MakeEnvironment = Arc<dyn Fn(&str) -> Environment + Send + Sync>;

/// Every hook; by default none.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    /// Called once for each start, on a thread of its own, after the first workers were spawned.
    pub(crate) on_start: Option<OnStart>,
    /// Called for each pulse with the logical id; false has the worker restarted.
    pub(crate) on_health: Option<OnHealth>,
    /// Called before each spawn with the logical id.
    pub(crate) environment: Option<MakeEnvironment>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("on_start", &self.on_start.is_some())
            .field("on_health", &self.on_health.is_some())
            .field("environment", &self.environment.is_some())
            .finish_non_exhaustive()
    }
}
