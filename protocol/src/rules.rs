//! Which listeners are shared: the user's rules first, then the built-in ones. It decides from addresses alone and
//! looks nothing up.
//!
//! The more exact rule wins (host and port, or path > host with any port > any host with that port); of two equally
//! exact ones, private wins.

use crate::address::Address;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ports that debuggers listen on, private unless the user says otherwise: node --inspect, debugpy, JDWP.
pub const DEBUG_PORTS: [u16; 3] = [9229, 5678, 5005];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Any,
    Localhost,
    Ip(IpAddr),
}

/// An address pattern: `host:port`, `*:port`, `host:*`, `[v6]:port`, `/path`, `@abstract`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a>(Pattern<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern<'a> {
    Inet { host: Host, port: Option<u16> },
    Path(&'a str),
    Abstract(&'a str),
}

impl<'a> Rule<'a> {
    /// Reads a pattern; `None` if it is none of the forms.
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.contains('\n') {
            return None;
        }
        if let Some(name) = text.strip_prefix('@') {
            return (!name.is_empty()).then_some(Self(Pattern::Abstract(name)));
        }
        if text.starts_with('/') {
            return Some(Self(Pattern::Path(text)));
        }
        let (host, port) = text.rsplit_once(':')?;
        let port = match port {
            "*" => None,
            number => Some(number.parse().ok()?),
        };
        let host = match host {
            "*" => Host::Any,
            "localhost" => Host::Localhost,
            _ => match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
                Some(v6) => Host::Ip(IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?)),
                None => Host::Ip(IpAddr::V4(host.parse::<Ipv4Addr>().ok()?)),
            },
        };
        (host != Host::Any || port.is_some()).then_some(Self(Pattern::Inet { host, port }))
    }

    /// How exactly the rule names this address; 0 is not at all. `place` is the absolute path of a unix socket.
    fn matches(&self, address: &Address, place: &[u8]) -> u8 {
        match self.0 {
            Pattern::Path(path) => {
                let same = address.path() == Some(path.as_bytes()) || place == path.as_bytes();
                if same && address.path().is_some() { 3 } else { 0 }
            }
            Pattern::Abstract(name) if address.abstract_name() == Some(name.as_bytes()) => 3,
            Pattern::Abstract(_) => 0,
            Pattern::Inet { host, port } => {
                let Some(actual) = address.port() else { return 0 };
                if port.is_some_and(|port| port != actual) {
                    return 0;
                }
                let ip = address.ipv4().map(IpAddr::V4).or(address.ipv6().map(IpAddr::V6));
                match host {
                    Host::Any => 1,
                    Host::Localhost if address.is_loopback() => 2 + u8::from(port.is_some()),
                    Host::Ip(wanted) if Some(wanted) == ip => 2 + u8::from(port.is_some()),
                    Host::Localhost | Host::Ip(_) => 0,
                }
            }
        }
    }
}

/// True if a listener on this address is shared. `rules` is the text of [`crate::env::RULES`]; lines that are no rule
/// are passed over.
pub fn shared(rules: &str, address: &Address, place: &[u8]) -> bool {
    let mut best = 0;
    let mut share = built_in(address);
    for line in rules.lines() {
        let (on, text) = match line.split_at_checked(1) {
            Some(("+", text)) => (true, text),
            Some(("-", text)) => (false, text),
            _ => continue,
        };
        let Some(rule) = Rule::parse(text) else { continue };
        let exact = rule.matches(address, place);
        if exact > best || (exact == best && exact > 0 && !on) {
            best = exact;
            share = on;
        }
    }
    share
}

fn built_in(address: &Address) -> bool {
    match address.port() {
        Some(0) => !address.is_loopback(),
        Some(port) => !DEBUG_PORTS.contains(&port),
        None => !address.is_unnamed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str, port: u16) -> Address {
        Address::v4(text.parse().unwrap(), port)
    }

    #[test]
    fn built_in_rules() {
        assert!(shared("", &v4("127.0.0.1", 80), b""));
        assert!(shared("", &v4("0.0.0.0", 0), b""));
        assert!(!shared("", &v4("127.0.0.1", 0), b""));
        assert!(!shared("", &v4("0.0.0.0", 9229), b""));
    }

    #[test]
    fn the_more_exact_rule_wins_and_private_breaks_ties() {
        let rules = "-*:80\n+127.0.0.1:80";
        assert!(shared(rules, &v4("127.0.0.1", 80), b""));
        assert!(!shared(rules, &v4("10.0.0.1", 80), b""));
        assert!(!shared("+*:80\n-*:80", &v4("10.0.0.1", 80), b""));
        assert!(!shared("-*:80\n+*:80", &v4("10.0.0.1", 80), b""));
        assert!(shared("+localhost:0", &v4("127.0.0.1", 0), b""));
        assert!(shared("+*:9229", &v4("0.0.0.0", 9229), b""));
        assert!(!shared("-10.0.0.1:*", &v4("10.0.0.1", 99), b""));
    }

    #[test]
    fn unix_sockets_match_by_path_or_place() {
        let mut raw = [0u8; 12];
        raw[..2].copy_from_slice(&crate::address::UNIX.to_ne_bytes());
        raw[2..8].copy_from_slice(b"a.sock");
        let relative = Address::from_raw(&raw[..8]).unwrap();
        assert!(shared("", &relative, b"/srv/a.sock"));
        assert!(!shared("-/srv/a.sock", &relative, b"/srv/a.sock"));
        assert!(shared("-/srv/b.sock", &relative, b"/srv/a.sock"));
    }

    #[test]
    fn refuses_what_is_no_rule() {
        for text in ["", "80", "*:*", "host:80", "[::1]", "127.0.0.1:99999", "@", "a\n:80", "*:"] {
            assert_eq!(Rule::parse(text), None, "{text:?}");
        }
        for text in
            ["*:80", "127.0.0.1:0", "[::1]:80", "/run/x y.sock", "@name", "10.0.0.1:*", "localhost:80"]
        {
            assert!(Rule::parse(text).is_some(), "{text:?}");
        }
    }
}
