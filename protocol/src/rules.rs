//! Which listeners are shared: the user's rules first, then the built-in ones. It decides from addresses alone and
//! looks nothing up.
//!
//! The more exact rule wins (host and port, or path > host and range of ports > host with any port > any host with that
//! port > any host with that range); of two equally exact ones, private wins.

use crate::address::Address;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ports that debuggers listen on, private unless the user says otherwise: node --inspect, debugpy, JDWP.
pub const DEBUG_PORTS: [u16; 3] = [9229, 5678, 5005];

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

    /// How exactly the rule names this address; 0 is not at all. `place` is the absolute path of a unix socket.
    fn matches(&self, address: &Address, place: &[u8]) -> u8 {
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

/// True if a listener on this address is shared. `rules` is the text of [`crate::env::RULES`]; lines that are no rule
/// are passed over.
pub fn shared(rules: &str, address: &Address, place: &[u8]) -> bool {
    told(rules, address, place).unwrap_or_else(|| built_in(address))
}

/// True if UDP sockets at this address are shared: only where the user says so. Lines about UDP have `udp:` before the address.
pub fn shares_datagrams(rules: &str, address: &Address) -> bool {
    let rule = |text| Rule::of_datagrams(of_udp(text)?);
    address.port().is_some_and(|port| port != 0) && weigh(rules, address, &[], rule) == Some(true)
}

/// What stands behind `udp:`; `None` if the text is about something else.
pub fn of_udp(text: &str) -> Option<&str> {
    text.strip_prefix("udp:")
}

/// What the user's rules say of it, if anything.
pub fn told(rules: &str, address: &Address, place: &[u8]) -> Option<bool> {
    weigh(rules, address, place, Rule::parse)
}

fn weigh<'a>(
    rules: &'a str,
    address: &Address,
    place: &[u8],
    read: impl Fn(&'a str) -> Option<Rule<'a>>,
) -> Option<bool> {
    let mut best = 0;
    let mut share = None;
    for line in rules.lines() {
        let (on, text) = match line.split_at_checked(1) {
            Some(("+", text)) => (true, text),
            Some(("-", text)) => (false, text),
            _ => continue,
        };
        let Some(rule) = read(text) else { continue };
        let exact = rule.matches(address, place);
        if exact > best || (exact == best && exact > 0 && !on) {
            best = exact;
            share = Some(on);
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
    extern crate std;
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
    fn ranges_name_all_ports_from_the_first_to_the_last() {
        let rules = "-127.0.0.1:40000-40100\n+127.0.0.1:40050\n-*:50000-50009\n+10.0.0.1:*";
        for (host, port, expected) in [
            ("127.0.0.1", 39999, true),
            ("127.0.0.1", 40000, false),
            ("127.0.0.1", 40050, true),
            ("127.0.0.1", 40100, false),
            ("127.0.0.1", 40101, true),
            ("10.0.0.9", 40000, true),
            ("10.0.0.9", 50009, false),
            ("10.0.0.1", 50009, true),
        ] {
            assert_eq!(shared(rules, &v4(host, port), b""), expected, "{host}:{port}");
        }
        assert!(!shared("+*:9-90\n-*:80", &v4("10.0.0.1", 80), b""), "one port is more exact than a range");
        assert!(shared("-10.0.0.1:*\n+10.0.0.1:9-90", &v4("10.0.0.1", 80), b""), "and a range than any");
        assert!(!shared("-*:1-65535", &v4("10.0.0.1", 65535), b""));
        assert!(shared("-*:1-65535", &v4("10.0.0.1", 0), b""), "port 0 is in no range");
    }

    #[test]
    fn what_nobody_says_anything_of_is_told_from_what_is_shared() {
        assert_eq!(told("", &v4("0.0.0.0", 0), b""), None);
        assert_eq!(told("+*:0", &v4("0.0.0.0", 0), b""), Some(true));
        assert_eq!(told("-*:0\nnonsense", &v4("127.0.0.1", 0), b""), Some(false));
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
    fn datagrams_are_shared_only_where_it_is_said() {
        let any = v4("127.0.0.1", 53);
        assert!(!shares_datagrams("", &any) && !shares_datagrams("+*:53", &any));
        for rule in ["53", "*:53", "127.0.0.1:53", "localhost:50-60", "127.0.0.1:*", "*", "1-60"] {
            let rules = std::format!("+udp:{rule}");
            assert!(shares_datagrams(&rules, &any), "{rule}");
            assert!(!shares_datagrams(&rules, &v4("127.0.0.1", 0)), "{rule}: no port");
            assert!(!shares_datagrams(&rules, &v4("10.0.0.1", 99)) || rule == "*", "{rule}");
        }
        assert!(!shares_datagrams("+udp:*\n-udp:53", &any), "the more exact rule wins");
        assert!(shared("-udp:127.0.0.1:53", &any, b""), "TCP is another matter");
        for text in ["", "0", "*:0", "/path", "@name", "host:53", "[::1]", "5-3", "udp:53"] {
            assert_eq!(Rule::of_datagrams(text), None, "{text:?}");
        }
    }

    #[test]
    fn refuses_what_is_no_rule() {
        for text in [
            "",
            "80",
            "*:*",
            "host:80",
            "[::1]",
            "127.0.0.1:99999",
            "@",
            "a\n:80",
            "*:",
            "*:9-1",
            "*:0-9",
            "*:1-",
            "*:-9",
            "*:1-99999",
            "*:1-2-3",
            "*:+1-9",
            "*:1 - 9",
            "*:*-9",
        ] {
            assert_eq!(Rule::parse(text), None, "{text:?}");
        }
        for text in [
            "*:80",
            "127.0.0.1:0",
            "[::1]:80",
            "/run/x y.sock",
            "@name",
            "10.0.0.1:*",
            "localhost:80",
            "*:7-7",
            "[::1]:1-65535",
        ] {
            assert!(Rule::parse(text).is_some(), "{text:?}");
        }
    }
}
