//! Names of files and folders that are never part of a program: what version control, editors and Python keep beside the files that count.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Folders of version control, and of the modules that Python has compiled while it started.
const FOLDERS: [&str; 5] = [".git", ".hg", ".svn", ".jj", "__pycache__"];
/// Ends of backups (Emacs, vim, nano), of files that JetBrains' editors save by, and of compiled Python.
const ENDS: [&[u8]; 6] = [b"~", b".bak", b"___jb_tmp___", b"___jb_old___", b".kate-swp", b".pyc"];
/// Beginnings of Emacs' locks and of files that GNOME's editors save by.
const BEGINNINGS: [&[u8]; 2] = [b".#", b".goutputstream-"];
/// By this one vim tries whether it may make files in a folder.
const PROBE: &str = "4913";

/// Whether a file or folder of this name is none of the program's.
pub(super) fn is_foreign(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    FOLDERS.iter().any(|folder| name == *folder)
        || name == PROBE
        || ENDS.iter().any(|end| bytes.ends_with(end))
        || BEGINNINGS.iter().any(|beginning| bytes.starts_with(beginning))
        || matches!(bytes, [b'#', .., b'#'])
        || is_vim_swap(bytes)
}

/// `.NAME.swp`, and with other last letters if that was taken.
fn is_vim_swap(name: &[u8]) -> bool {
    matches!(name, [b'.', .., b'.', b's', b'w', last] if last.is_ascii_lowercase())
}

/// Whether rules on other files are read from a file of this name.
pub(super) fn is_of_rules(name: &OsStr) -> bool {
    name == ".gitignore" || name == ".ignore"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_editors_leave_beside_a_file_is_none_of_it() {
        for name in [
            ".git",
            "__pycache__",
            "app.pyc",
            "app.py~",
            "app.py.bak",
            ".app.py.swp",
            ".app.py.swo",
            ".#app.py",
            "#app.py#",
            "4913",
            "app.py___jb_tmp___",
            ".goutputstream-AB12CD",
            ".app.py.kate-swp",
        ] {
            assert!(is_foreign(OsStr::new(name)), "{name}");
        }
        for name in
            ["app.py", ".env", "git", ".gitignore", "swp", "app.swp", "a.sw", "49130", "#", "bak", "~a"]
        {
            assert!(!is_foreign(OsStr::new(name)), "{name}");
        }
    }
}
