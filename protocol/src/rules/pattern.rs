//! One rule: which addresses it names, and how exactly. It does not know whether they are to be shared.

use crate::address::Address;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How exactly a rule names an address when it names it alone.
const EXACT: u8 = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host {
    Any,
    Localhost,
    Ip(IpAddr),
}

/// Which ports a pattern names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    Any,
    One(u16),
    /// Both ends belong to it.
    Range(u16, u16),
}

impl Ports {
    fn parse(text: &str) -> Option<Self> {
        let number =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
        match text.split_once('-') {
            None if text == "*" => Some(Self::Any),
            None => Some(Self::One(number(text)?)),
            // Port 0 is no port: the system chooses one.
            Some((first, last)) => match (number(first)?, number(last)?) {
                (first @ 1.., last) if first <= last => Some(Self::Range(first, last)),
                _ => None,
            },
        }
    }

    fn contain(self, port: u16) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == port,
            Self::Range(first, last) => (first..=last).contains(&port),
        }
    }
}

/// An address pattern: `host:port`, `*:port`, `host:*`, `[v6]:port`, `/path`, `@abstract`; for `port` also `first-last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a>(Pattern<'a>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pattern<'a> {
    Inet { host: Host, ports: Ports },
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
        Self::of_ports(text).filter(|rule| !rule.is_any())
    }

    /// Reads what stands behind `udp:`: as for TCP, or a port alone, or `*` for any; no port 0, at which nothing can be sent, and no path.
    pub fn of_datagrams(text: &'a str) -> Option<Self> {
        let alone = Ports::parse(text).map(|ports| Self(Pattern::Inet { host: Host::Any, ports }));
        let rule = alone.or_else(|| Self::of_ports(text))?;
        let Pattern::Inet { ports, .. } = rule.0 else { return None };
        (ports != Ports::One(0)).then_some(rule)
    }

    fn is_any(&self) -> bool {
        self.0 == Pattern::Inet { host: Host::Any, ports: Ports::Any }
    }

    fn of_ports(text: &'a str) -> Option<Self> {
        let (host, ports) = text.rsplit_once(':')?;
        let ports = Ports::parse(ports)?;
        let host = match host {
            "*" => Host::Any,
            "localhost" => Host::Localhost,
            _ => match host.strip_prefix('[').and_then(|v6| v6.strip_suffix(']')) {
                Some(v6) => Host::Ip(IpAddr::V6(v6.parse::<Ipv6Addr>().ok()?)),
                None => Host::Ip(IpAddr::V4(host.parse::<Ipv4Addr>().ok()?)),
            },
        };
        Some(Self(Pattern::Inet { host, ports }))
    }

    /// The rule says which ports.
    pub(super) fn names_port(&self) -> bool {
        matches!(self.0, Pattern::Inet { ports: Ports::One(1..) | Ports::Range(..), .. })
    }

    /// How exactly the rule names this address; 0 is not at all. `place` is the absolute path of a unix socket.
    pub(super) fn matches(&self, address: &Address, place: &[u8]) -> u8 {
        match self.0 {
            Pattern::Path(path) => {
                let same = address.path() == Some(path.as_bytes()) || place == path.as_bytes();
                if same && address.path().is_some() { EXACT } else { 0 }
            }
            Pattern::Abstract(name) if address.abstract_name() == Some(name.as_bytes()) => EXACT,
            Pattern::Abstract(_) => 0,
            Pattern::Inet { host, ports } => {
                if !address.port().is_some_and(|port| ports.contain(port)) {
                    return 0;
                }
                let ip = address.ipv4().map(IpAddr::V4).or(address.ipv6().map(IpAddr::V6));
                let named = match host {
                    Host::Any => false,
                    Host::Localhost if address.is_loopback() => true,
                    Host::Ip(wanted) if Some(wanted) == ip => true,
                    Host::Localhost | Host::Ip(_) => return 0,
                };
                match (named, ports) {
                    (true, Ports::One(_)) => EXACT,
                    (true, Ports::Range(..)) => 4,
                    (true, Ports::Any) => 3,
                    (false, Ports::One(_)) => 2,
                    (false, Ports::Range(..) | Ports::Any) => 1,
                }
            }
        }
    }
}
