//! A line as syslog takes it: by RFC 3164 as daemons of the same machine read it, by RFC 5424 over the network. The worker stands behind a
//! slash in the name, as `postfix/smtpd` has it. It sends nothing.

use super::{Fields, append};
use crate::io::output::stamp;
use std::path::PathBuf;
use std::str::FromStr;

/// Where daemons of this machine listen.
pub(crate) const SOCKET: &str = "/dev/log";
/// What syslog daemons take of one message, and what is before the text in it; what is longer comes in pieces.
const LONGEST: usize = 8000;
/// daemon, of which the number is the first part of a priority.
const FACILITY: u8 = 3;

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    /// Host and port.
    Udp(String),
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let odd = "write syslog:/PATH or syslog:udp:HOST:PORT";
        match text.strip_prefix("udp:") {
            None if text.starts_with('/') => Ok(Self::Unix(text.into())),
            Some(host)
                if host
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) =>
            {
                Ok(Self::Udp(host.to_owned()))
            }
            _ => Err(odd),
        }
    }
}

/// How records are written for an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::io::output) enum Dialect {
    Local,
    Network,
}

/// Appends a record, or several of a long line.
pub(in crate::io::output) fn put(into: &mut Vec<u8>, dialect: Dialect, host: &str, fields: &Fields<'_>) {
    let name =
        fields.worker.map_or_else(|| fields.cluster.to_owned(), |id| format!("{}/{id}", fields.cluster));
    let (number, pid) = (FACILITY * 8 + fields.priority, fields.pid);
    let head = match dialect {
        Dialect::Local => format!("<{number}>{} {name}[{pid}]: ", stamp::local()),
        // The name may hold no blanks and 48 letters.
        Dialect::Network => {
            let name: String = name.chars().filter(char::is_ascii_graphic).take(48).collect();
            let stream = fields.stream;
            // What follows is text in UTF-8 only with a mark before it, which most who read it show.
            format!("<{number}>1 {} {host} {name} {pid} {stream} - ", stamp::now())
        }
    };
    let mut rest = fields.text;
    loop {
        let (piece, tail) = rest.split_at(boundary(rest));
        append(into, |into| {
            into.extend_from_slice(head.as_bytes());
            // A line end or a NUL would end the message for some daemons.
            into.extend(piece.iter().map(|byte| if matches!(byte, b'\n' | 0) { b' ' } else { *byte }));
        });
        rest = tail;
        if rest.is_empty() {
            return;
        }
    }
}

/// How long the first piece is: no character is cut.
fn boundary(text: &[u8]) -> usize {
    if text.len() <= LONGEST {
        return text.len();
    }
    let continues = |at: &usize| text.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    (LONGEST - 3..=LONGEST).rev().find(|at| !continues(at)).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::super::each;
    use super::*;

    const FIELDS: Fields<'_> =
        Fields { cluster: "web", worker: Some("2"), pid: 71, stream: "stderr", priority: 4, text: b"a\nb" };

    #[test]
    fn both_dialects() {
        let mut batch = Vec::new();
        put(&mut batch, Dialect::Network, "box", &FIELDS);
        put(&mut batch, Dialect::Local, "box", &Fields { worker: None, ..FIELDS });
        let records: Vec<_> =
            each(&batch).map(|record| String::from_utf8_lossy(record).into_owned()).collect();
        let words: Vec<_> = records[0].splitn(8, ' ').collect();
        assert_eq!((words[0], &words[2..]), ("<28>1", &["box", "web/2", "71", "stderr", "-", "a b"][..]));
        assert!(words[1].ends_with('Z'), "{words:?}");
        let (time, rest) = records[1].split_at("<28>Jan  2 03:04:05".len());
        assert!(time.starts_with("<28>") && rest == " web[71]: a b", "{records:?}");
    }

    #[test]
    fn long_lines_come_in_pieces() {
        let text = "€".repeat(6000);
        let mut batch = Vec::new();
        put(&mut batch, Dialect::Network, "box", &Fields { text: text.as_bytes(), ..FIELDS });
        let texts: Vec<_> = each(&batch).map(|record| std::str::from_utf8(record).unwrap()).collect();
        let pieces = texts.iter().map(|record| record.splitn(8, ' ').last().unwrap());
        assert_eq!((texts.len(), pieces.collect::<String>()), (3, text));
    }

    #[test]
    fn addresses() {
        assert_eq!("/dev/log".parse(), Ok(Address::Unix("/dev/log".into())));
        assert_eq!("udp:[::1]:514".parse(), Ok(Address::Udp("[::1]:514".to_owned())));
        for odd in ["", "log", "udp:", "udp:host", "udp::514", "udp:host:x", "tcp:host:1"] {
            assert!(odd.parse::<Address>().is_err(), "{odd}");
        }
    }
}
