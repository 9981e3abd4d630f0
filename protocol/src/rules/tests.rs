//! Which addresses rules name, which of several wins, and what is no rule.

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

#[test]
fn a_port_is_named_by_itself_or_in_a_range_and_not_by_its_host_alone() {
    let low = v4("127.0.0.1", 80);
    for rules in ["+*:80", "+127.0.0.1:80", "+localhost:70-90", "+127.0.0.1:*\n+*:80"] {
        assert!(names_port(rules, &low), "{rules}");
        assert!(!names_port(rules, &v4("127.0.0.1", 443)), "{rules}");
    }
    for rules in
        ["", "+127.0.0.1:*", "+*:0", "+10.0.0.1:80", "+*:80\n-127.0.0.1:80", "-*:80", "+udp:80", "+/80"]
    {
        assert!(!names_port(rules, &low), "{rules}");
    }
    assert!(names_port_of_datagrams("+udp:53", &v4("127.0.0.1", 53)));
    for rules in ["+udp:*", "+*:53", "+udp:53\n-udp:127.0.0.1:53"] {
        assert!(!names_port_of_datagrams(rules, &v4("127.0.0.1", 53)), "{rules}");
    }
}
