//! Which listeners are shared: the user's rules first, then the built-in ones. It decides from addresses alone and
//! looks nothing up.
//!
//! The more exact rule wins (host and port, or path > host and range of ports > host with any port > any host with that
//! port > any host with that range); of two equally exact ones, private wins.

mod pattern;
#[cfg(test)]
mod tests;

pub use self::pattern::Rule;

use crate::address::Address;

/// Ports that debuggers listen on, private unless the user says otherwise: node --inspect, debugpy, JDWP.
pub const DEBUG_PORTS: [u16; 3] = [9229, 5678, 5005];

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

/// True if a rule shares this address and says its port, alone or in a range: whoever wrote it means the supervisor to bind it for workers that
/// may not. A rule for any port of a host means no port.
pub fn names_port(rules: &str, address: &Address) -> bool {
    told(rules, address, &[]) == Some(true) && is_named(rules, address, Rule::parse)
}

/// The same of UDP sockets.
pub fn names_port_of_datagrams(rules: &str, address: &Address) -> bool {
    shares_datagrams(rules, address) && is_named(rules, address, |text| Rule::of_datagrams(of_udp(text)?))
}

fn is_named<'a>(rules: &'a str, address: &Address, read: impl Fn(&'a str) -> Option<Rule<'a>>) -> bool {
    let mut shared = rules.lines().filter_map(|line| line.strip_prefix('+')).filter_map(read);
    shared.any(|rule| rule.names_port() && rule.matches(address, &[]) > 0)
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
