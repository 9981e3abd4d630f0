//! Processor time of a server: of all its processes and their threads, by the kernel's own account in nanoseconds. What has ended
//! is not counted.

use crate::Result;
use std::collections::HashSet;
use std::fs;
use std::time::Duration;

/// Direct children of the process, of all its threads.
pub(in crate::bench) fn children(pid: u32) -> HashSet<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Time on a processor so far, of all threads of the process.
pub(in crate::bench) fn of_process(pid: u32) -> Result<Duration> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let account = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += account.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The same, with all its descendants. One that ends meanwhile counts for nothing.
pub(in crate::bench) fn of_tree(pid: u32) -> Duration {
    let own = of_process(pid).unwrap_or_default();
    own + children(pid).into_iter().map(of_tree).sum::<Duration>()
}
