//! What an event of the kernel says of a path, in the few words that are told apart here. Reading a file is no event of its own here.

use notify::EventKind;
use notify::event::{CreateKind, ModifyKind, RemoveKind, RenameMode};
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// What has happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// It was made, where nothing was.
    Made,
    /// It was moved to its place, perhaps over another.
    Came,
    /// It was written.
    Written,
    /// Something about it has changed, but nothing in it: times, owner, mode, number of names.
    Marked,
    /// It was removed, or moved away.
    Gone,
    /// A folder was removed: it was empty by then.
    FolderGone,
}

impl Fact {
    /// `None` for what is no change, and for what another event says too.
    pub(super) fn of(kind: EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::Create(
                CreateKind::Any | CreateKind::File | CreateKind::Folder | CreateKind::Other,
            ) => Self::Made,
            EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Self::Came,
            EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Self::Gone,
            EventKind::Modify(ModifyKind::Name(_)) => return None,
            EventKind::Modify(ModifyKind::Metadata(_)) => Self::Marked,
            EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any | ModifyKind::Other) => Self::Written,
            EventKind::Remove(RemoveKind::Folder) => Self::FolderGone,
            EventKind::Remove(_) => Self::Gone,
            EventKind::Access(_) | EventKind::Any | EventKind::Other => return None,
        })
    }

    /// Whether the path now stands for something else than before.
    pub(super) fn moves(self) -> bool {
        match self {
            Self::Made | Self::Came | Self::Gone | Self::FolderGone => true,
            Self::Written | Self::Marked => false,
        }
    }
}

/// Whether the file's last mark is that it counts as written now, which is what `touch` does by default: of another mark, as a mode or a
/// time of reading, the time of writing is not the time of the mark.
pub(super) fn is_touched(file: &Metadata) -> bool {
    let ns = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let (written, marked) = (ns(file.mtime(), file.mtime_nsec()), ns(file.ctime(), file.ctime_nsec()));
    // One system call sets both; the clocks they are read from differ by a tick of 10 ms at most.
    (marked - written).abs() <= 10_000_000
}

/// Whether it is no file, folder or link, but a socket, a pipe or a device: programs make them, people do not write them.
pub(super) fn is_special(kind: std::fs::FileType) -> bool {
    kind.is_socket() || kind.is_fifo() || kind.is_char_device() || kind.is_block_device()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use notify::event::{AccessKind, AccessMode, DataChange, MetadataKind};
    use std::fs::{File, FileTimes, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn reads_are_no_change() {
        for access in
            [AccessKind::Open(AccessMode::Any), AccessKind::Close(AccessMode::Write), AccessKind::Read]
        {
            assert_eq!(Fact::of(EventKind::Access(access)), None);
        }
        let both = ModifyKind::Name(RenameMode::Both);
        assert_eq!(Fact::of(EventKind::Modify(both)), None, "both halves are told as well");
        assert_eq!(Fact::of(EventKind::Modify(ModifyKind::Data(DataChange::Any))), Some(Fact::Written));
        assert_eq!(Fact::of(EventKind::Modify(ModifyKind::Metadata(MetadataKind::Any))), Some(Fact::Marked));
        assert_eq!(Fact::of(EventKind::Remove(RemoveKind::Folder)), Some(Fact::FolderGone));
        assert_eq!(Fact::of(EventKind::Create(CreateKind::File)), Some(Fact::Made));
    }

    #[test]
    fn of_all_marks_a_touch_alone_counts() {
        let scratch = Scratch::new();
        let path = scratch.file("app.py", "", 0o644);
        let file = File::options().write(true).open(&path).unwrap();
        let written = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1));
        file.set_times(written).unwrap();
        assert!(!is_touched(&file.metadata().unwrap()), "an old time was set");
        std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        file.set_times(FileTimes::new().set_accessed(UNIX_EPOCH)).unwrap();
        assert!(!is_touched(&file.metadata().unwrap()), "mode and time of reading were set");
        let now = nix::sys::time::TimeSpec::UTIME_NOW;
        nix::sys::stat::futimens(&file, &now, &now).unwrap();
        assert!(is_touched(&file.metadata().unwrap()));
    }
}
