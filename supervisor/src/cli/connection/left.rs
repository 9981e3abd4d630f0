//! Clusters whose supervisor was killed: it could write no word of its end, and its control socket is still there. The sockets are
//! looked at, and removed where somebody says so; nothing is connected to for long.

use super::target;
use crate::cli::output::failed::Failed;
use crate::io::control::{last_end, socket};
use std::path::PathBuf;

/// Their names, in order, and what is said of each. Of one that has left word of its end, or whose name another has by now, more is known.
pub(in crate::cli) fn all(directories: &[PathBuf], known: &[String]) -> Vec<(String, Failed)> {
    let sockets = target::files(directories, "sock").into_iter();
    let left = sockets.filter(|(name, path)| {
        !known.contains(name) && last_end::read(&last_end::beside(path)).is_none() && socket::is_left(path)
    });
    left.map(|(name, _)| (name.clone(), target::left(&name))).collect()
}

/// Removes the socket that such a supervisor has left. True if there was one.
pub(in crate::cli) fn forget(name: &str) -> bool {
    let file = format!("{name}.sock");
    target::directories().iter().any(|directory| socket::remove_left(&directory.join(&file)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::control::last_end::LastEnd;
    use crate::io::scratch::Scratch;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_sockets_of_dead_supervisors() {
        let scratch = Scratch::new();
        let directories = [scratch.dir("run", 0o700)];
        let listen = |name: &str| UnixListener::bind(directories[0].join(name)).unwrap();
        let _runs = listen("web.sock");
        drop((listen("api.sock"), listen("known.sock"), listen("told.sock")));
        last_end::write(&directories[0].join("told.end"), &LastEnd::now("told", 1, "why".to_owned(), None));
        scratch.file("run/file.sock", "", 0o600);
        let found = || all(&directories, &["known".to_owned()]);
        assert_eq!(found(), [("api".to_owned(), target::left("api"))]);
        let path = directories[0].join("api.sock");
        assert!(socket::remove_left(&path) && !socket::remove_left(&path) && found().is_empty());
        assert!(!socket::remove_left(&directories[0].join("web.sock")));
    }
}
