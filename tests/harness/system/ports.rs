//! Free TCP ports, each used by one test at a time, even across test processes.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// A port that nobody uses; ours as long as this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Its abstract name is the claim: the system drops it with us.
    _claim: UnixListener,
}

impl Port {
    /// Finds one below the range from which the system gives ports to clients: there a client of another test could
    /// take it between our look and the program's bind.
    pub fn free() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let start = process::id().wrapping_mul(97);
        for _ in 0..10_000 {
            let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(start);
            let number = 15_000 + (step % 15_000) as u16;
            let name = SocketAddr::from_abstract_name(format!("clustermon-test-port-{number}"))
                .expect("the name is short");
            let Ok(claim) = UnixListener::bind_addr(&name) else { continue };
            let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok()
                && TcpListener::bind((Ipv6Addr::UNSPECIFIED, number)).is_ok();
            if free {
                return Self { number, _claim: claim };
            }
        }
        panic!("no free port from 15000 to 29999");
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

/// False, and said, if this kernel has no MPTCP.
pub fn has_mptcp() -> bool {
    // SAFETY: makes a descriptor, and closes it.
    let has =
        unsafe { libc::close(libc::socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_MPTCP)) == 0 };
    if !has {
        eprintln!("skipped: this kernel has no MPTCP");
    }
    has
}
