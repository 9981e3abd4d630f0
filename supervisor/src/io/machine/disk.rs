//! Whether there is room left where a file is. It writes nothing.

use nix::sys::statvfs::statvfs;
use nix::unistd::Uid;
use std::path::Path;

/// Nothing can be added to the file, for its file system is full. False where that cannot be known.
pub(crate) fn is_full(file: &Path) -> bool {
    statvfs(file).is_ok_and(|found| {
        // Some is kept for root.
        let left = if Uid::effective().is_root() { found.blocks_free() } else { found.blocks_available() };
        // A file system that keeps no count has none of either.
        left == 0 && found.blocks() > 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_no_count_is_not_full() {
        assert!(!is_full(Path::new("/proc/self/stat")) && !is_full(Path::new("/nowhere")));
    }
}
