//! What the tests of the library share: the server that they run, the ports they use, and how long they wait. They are several binaries because
//! each looks at its whole process.

use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Nothing takes this long, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The bundled demo server, which cargo builds with the tests.
pub(crate) fn demo() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/demo-worker");
    assert!(path.is_file(), "{} is not built: run the tests of the whole package", path.display());
    path
}

/// A port that nobody uses, for a cluster of a test. It lies below the range from which the system gives ports to clients and
/// to those who ask for any; an abstract name that this process keeps to its end says to all other tests that it is taken.
pub(crate) fn port() -> u16 {
    static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    let mut claims = CLAIMS.lock().unwrap_or_else(PoisonError::into_inner);
    let first = std::process::id() % 15_000;
    for step in 0..15_000 {
        let number = 15_000 + ((first + step) % 15_000) as u16;
        let name = SocketAddr::from_abstract_name(format!("clustermon-test-port-{number}")).unwrap();
        let Ok(claim) = UnixListener::bind_addr(&name) else { continue };
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok() {
            claims.push(claim);
            return number;
        }
    }
    panic!("no free port from 15000 to 29999");
}
