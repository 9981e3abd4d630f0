//! How many workers there are and what each is called: one question with two ways to answer it.

use super::{ConfigError, MAX_WORKERS};
use std::collections::HashSet;
use std::str::FromStr;

/// How many workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Workers {
    /// One for each CPU that this process may use, by its affinity and its cgroup's quota.
    #[default]
    Auto,
    /// This many.
    Count(u32),
}

impl From<u32> for Workers {
    fn from(count: u32) -> Self {
        Self::Count(count)
    }
}

impl FromStr for Workers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text
                .parse()
                .map(Self::Count)
                .map_err(|_| "this is not a number of workers; give 1 to 1024, or auto"),
        }
    }
}

/// One id per worker, in the order of the slots; `cpus` is what [`Workers::Auto`] stands for.
pub(super) fn logical_ids(
    workers: Option<Workers>,
    ids: Option<Vec<String>>,
    cpus: u32,
) -> Result<Vec<String>, ConfigError> {
    let ids = match (workers, ids) {
        (Some(_), Some(_)) => return Err(ConfigError::WorkersAndLogicalIds),
        (None, Some(ids)) => ids,
        (workers, None) => {
            let count = match workers.unwrap_or_default() {
                Workers::Auto => cpus.min(MAX_WORKERS),
                Workers::Count(count) => count,
            };
            if !(1..=MAX_WORKERS).contains(&count) {
                return Err(ConfigError::Workers(count));
            }
            return Ok((0..count).map(|id| id.to_string()).collect());
        }
    };
    if !(1..=MAX_WORKERS as usize).contains(&ids.len()) {
        return Err(ConfigError::LogicalIdCount(ids.len()));
    }
    let mut seen = HashSet::new();
    for id in &ids {
        if id.is_empty() || id.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',') {
            return Err(ConfigError::LogicalId(id.clone()));
        }
        if !seen.insert(id.as_str()) {
            return Err(ConfigError::DuplicateLogicalId(id.clone()));
        }
    }
    Ok(ids)
}
