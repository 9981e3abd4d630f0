//! Connections that nobody has accepted yet, as the kernel shows them at a port: at which of the port's sockets each waits is not shown. It
//! accepts nothing.

use super::sock_diag::tcp;
use std::time::Duration;

/// For how long the one that has waited longest has waited, at any socket of this port. A connection that nobody has accepted has no inode, and
/// nothing was sent over it: so long ago it was made.
pub(crate) fn longest_wait(port: u16) -> Duration {
    let mut longest = Duration::ZERO;
    let looked = tcp::each(&[tcp::ESTABLISHED], Some(&[port]), |socket| {
        let age = socket.traffic.sent_ago.filter(|_| socket.inode == 0 && socket.traffic.sent == Some(0));
        longest = longest.max(age.unwrap_or_default());
    });
    if let Err(error) = looked {
        log::debug!("port {port}: who waits there cannot be seen: {error}");
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn only_who_has_not_been_accepted_waits() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(longest_wait(address.port()), Duration::ZERO);
        let _client = TcpStream::connect(address).unwrap();
        let mut seen = Duration::ZERO;
        while seen < Duration::from_millis(20) {
            seen = longest_wait(address.port());
        }
        let _accepted = listener.accept().unwrap();
        assert_eq!(longest_wait(address.port()), Duration::ZERO);
    }
}
