//! How long whoever stops this process waits before killing it, where that is known: in a container. It reads the
//! environment and /proc, and decides nothing.

use std::fs;
use std::os::unix::process::parent_id;
use std::process;
use std::time::Duration;

/// What `docker stop`, `docker compose` and `podman stop` wait for unless they are told otherwise.
const PATIENCE: Duration = Duration::from_secs(10);
/// What runs as process 1 in the place of the container's own program. `docker run --init` is the second, podman's the third.
const INITS: [&str; 5] = ["tini", "docker-init", "podman-init", "catatonit", "dumb-init"];

/// From the signal that asks to the one that kills; `None` where there is no telling. Kubernetes waits for 30 s unless it is
/// told otherwise, for which the defaults are made.
pub(crate) fn patience() -> Option<Duration> {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return None;
    }
    let is_first =
        process::id() == 1 || parent_id() == 1 && is_init(&fs::read("/proc/1/comm").unwrap_or_default());
    is_first.then_some(PATIENCE)
}

fn is_init(name: &[u8]) -> bool {
    INITS.iter().any(|init| init.as_bytes() == name.trim_ascii_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inits_are_told_by_their_names() {
        assert!(is_init(b"tini\n") && is_init(b"docker-init\n"));
        assert!(!is_init(b"systemd\n") && !is_init(b"bash\n") && !is_init(b""));
    }
}
