//! Tells the service manager, if there is one, how the supervisor fares: ready, stopping, alive. Nothing here waits: what
//! the manager does not take now is offered again.

use crate::io::output::plain::Plain;
use sd_notify::NotifyState;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// What the service manager tells the supervisor about itself, and workers must not take for theirs.
pub(crate) const VARIABLES: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// When to offer again what the manager's full queue did not take.
const RETRY: Duration = Duration::from_millis(100);

/// The way to the service manager; without one everything here does nothing.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    manager: Option<Manager>,
}

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    /// At most one of each kind: of status texts and signs of life only the last counts.
    waiting: VecDeque<String>,
    retry_at: Option<Instant>,
    status: String,
    watchdog: Option<Watchdog>,
    failed: bool,
    /// It was told that the cluster serves, and not that it stops.
    serves: bool,
    /// It was told of a reload, and not of its end.
    reloads: bool,
}

#[derive(Debug)]
struct Watchdog {
    every: Duration,
    next: Instant,
}

impl ServiceManager {
    /// As the environment of this process says.
    pub(crate) fn from_environment(now: Instant) -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        let watchdog =
            watchdog_limit(variable("WATCHDOG_USEC").as_deref(), variable("WATCHDOG_PID").as_deref());
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        match Self::new(&name, watchdog, now) {
            Ok(notifier) => notifier,
            Err(error) => {
                log::warn!("the service manager cannot be told anything: NOTIFY_SOCKET={name:?}: {error}");
                Self::default()
            }
        }
    }

    fn new(name: &OsStr, watchdog: Option<Duration>, now: Instant) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "neither a path nor an abstract name",
                ));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let watchdog = watchdog.map(|limit| Watchdog { every: limit / 2, next: now });
        let manager = Manager {
            socket,
            address,
            waiting: VecDeque::new(),
            retry_at: None,
            status: String::new(),
            watchdog,
            failed: false,
            serves: false,
            reloads: false,
        };
        Ok(Self { manager: Some(manager) })
    }

    /// The cluster serves. Names this process as the main one, which it may not be for who started it.
    pub(crate) fn ready(&mut self, now: Instant) {
        if let Some(manager) = &mut self.manager {
            (manager.serves, manager.reloads) = (true, false);
        }
        self.tell(now, &[NotifyState::Ready, NotifyState::MainPid(std::process::id())]);
    }

    /// A reload begins. It is for the manager to compare the time with that at which it has asked for one (`Type=notify-reload`).
    pub(crate) fn reloading(&mut self, now: Instant) {
        let Some(manager) = self.manager.as_mut().filter(|manager| manager.serves) else { return };
        match NotifyState::monotonic_usec_now() {
            Ok(time) => {
                manager.reloads = true;
                self.tell(now, &[NotifyState::Reloading, time]);
            }
            Err(error) => log::warn!("the service manager is not told of the reload: {error}"),
        }
    }

    /// It has ended, well or not: the cluster serves.
    pub(crate) fn reloaded(&mut self, now: Instant) {
        if self.manager.as_ref().is_some_and(|manager| manager.serves && manager.reloads) {
            self.ready(now);
        }
    }

    /// The cluster is on its way to the end.
    pub(crate) fn stopping(&mut self, now: Instant) {
        if let Some(manager) = &mut self.manager {
            manager.serves = false;
        }
        self.tell(now, &[NotifyState::Stopping]);
    }

    /// One line for people; told only when it changes.
    pub(crate) fn status(&mut self, text: &str, now: Instant) {
        let Some(manager) = self.manager.as_mut().filter(|manager| manager.status != text) else { return };
        text.clone_into(&mut manager.status);
        self.tell(now, &[NotifyState::Status(&Plain(text).to_string())]);
    }

    /// When `handle_timeout` has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let manager = self.manager.as_ref()?;
        [manager.retry_at, manager.watchdog.as_ref().map(|watchdog| watchdog.next)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Says that the loop turns, if it is time, and offers again what was not taken.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let Some(manager) = self.manager.as_mut() else { return };
        if let Some(watchdog) = manager.watchdog.as_mut().filter(|watchdog| watchdog.next <= now) {
            watchdog.next = now + watchdog.every;
            self.tell(now, &[NotifyState::Watchdog]);
        } else if manager.retry_at.is_some_and(|at| at <= now) {
            manager.send(now);
        }
    }

    fn tell(&mut self, now: Instant, states: &[NotifyState<'_>]) {
        let Some(manager) = self.manager.as_mut() else { return };
        let text: String = states.iter().map(|state| format!("{state}\n")).collect();
        let key = |text: &str| text.split_once('=').map(|(key, _)| key.to_owned());
        manager.waiting.retain(|old| key(old) != key(&text));
        manager.waiting.push_back(text);
        manager.send(now);
    }
}

/// How long the manager waits for a sign of life, if it does. Without a pid whoever was started is meant.
fn watchdog_limit(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    let ours = pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
    let usec = usec?.parse().ok().filter(|usec| ours && !matches!(*usec, 0 | u64::MAX))?;
    Some(Duration::from_micros(usec))
}

impl Manager {
    fn send(&mut self, now: Instant) {
        self.retry_at = None;
        while let Some(message) = self.waiting.front() {
            match self.socket.send_to_addr(message.as_bytes(), &self.address) {
                Ok(_) => self.failed = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        || error.raw_os_error() == Some(libc::ENOBUFS) =>
                {
                    self.retry_at = Some(now + RETRY);
                    return;
                }
                Err(error) => {
                    if !self.failed {
                        log::warn!("the service manager was not reached: {error}");
                    }
                    self.failed = true;
                }
            }
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "any moment will do to begin with")]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    fn received(socket: &UnixDatagram) -> Vec<String> {
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 256];
        let mut found = Vec::new();
        while let Ok(len) = socket.recv(&mut buffer) {
            found.push(String::from_utf8(buffer[..len].to_vec()).unwrap());
        }
        found
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        let now = Instant::now();
        let mut notifier = ServiceManager::default();
        notifier.ready(now);
        notifier.handle_timeout(now);
        assert_eq!(notifier.next_deadline(), None);
        assert!(ServiceManager::new(OsStr::new("relative"), None, now).is_err());
    }

    #[test]
    fn the_watchdog_is_ours_or_not() {
        let own = std::process::id().to_string();
        let limit = Some(Duration::from_millis(30));
        assert_eq!(watchdog_limit(Some("30000"), None), limit);
        assert_eq!(watchdog_limit(Some("30000"), Some(&own)), limit);
        for (usec, pid) in [("30000", Some("1")), ("0", None), ("soon", None), ("18446744073709551615", None)]
        {
            assert_eq!(watchdog_limit(Some(usec), pid), None, "{usec}");
        }
        assert_eq!(watchdog_limit(None, None), None);
    }

    #[test]
    fn a_life_is_told() {
        let now = Instant::now();
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut notifier = ServiceManager::new(path.as_os_str(), Some(Duration::from_secs(4)), now).unwrap();
        notifier.handle_timeout(now);
        notifier.ready(now);
        notifier.status("2 of 2", now);
        notifier.status("2 of 2", now);
        assert_eq!(notifier.next_deadline(), Some(now + Duration::from_secs(2)));
        notifier.handle_timeout(now + Duration::from_secs(1));
        notifier.handle_timeout(now + Duration::from_secs(2));
        notifier.stopping(now + Duration::from_secs(3));
        let ready = format!("READY=1\nMAINPID={}\n", std::process::id());
        let told = ["WATCHDOG=1\n", &ready, "STATUS=2 of 2\n", "WATCHDOG=1\n", "STOPPING=1\n"];
        assert_eq!(received(&socket), told);

        // A manager that is gone is no fault.
        drop(socket);
        notifier.stopping(now);
    }

    #[test]
    fn a_reload_is_told_while_the_cluster_serves() {
        let now = Instant::now();
        let scratch = Scratch::new();
        let path = scratch.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let mut notifier = ServiceManager::new(path.as_os_str(), None, now).unwrap();
        notifier.reloading(now);
        notifier.reloaded(now);
        assert_eq!(received(&socket), [""; 0]);
        notifier.ready(now);
        notifier.reloaded(now);
        notifier.reloading(now);
        notifier.reloaded(now);
        let ready = format!("READY=1\nMAINPID={}\n", std::process::id());
        let told = received(&socket);
        let [first, reloading, last] = &told[..] else { panic!("{told:?}") };
        assert!(*first == ready && *last == ready, "{told:?}");
        let time =
            reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
        assert!(time.trim_end().parse::<u64>().unwrap() > 0);
        notifier.reloading(now);
        notifier.stopping(now);
        notifier.reloaded(now);
        assert_eq!(received(&socket).last().unwrap(), "STOPPING=1\n");
    }

    #[test]
    fn a_full_queue_is_waited_for_elsewhere() {
        let now = Instant::now();
        let name = format!("clustermon-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        let mut notifier = ServiceManager::new(OsStr::new(&format!("@{name}")), None, now).unwrap();
        let mut told = 0;
        while notifier.next_deadline().is_none() {
            notifier.status(&told.to_string(), now);
            told += 1;
        }
        notifier.ready(now);
        notifier.status("last", now);
        notifier.handle_timeout(now + RETRY);
        assert_eq!(notifier.next_deadline(), Some(now + 2 * RETRY));
        let before = received(&socket);
        assert_eq!(before.len(), told - 1);
        notifier.handle_timeout(now + 2 * RETRY);
        assert_eq!(notifier.next_deadline(), None);
        let after = received(&socket);
        assert!(after[0].starts_with("READY=1\n") && after[1] == "STATUS=last\n", "{after:?}");
    }
}
