//! Lines that leave as datagrams with fields, for the journal of systemd or for syslog, instead of as text. On the way to the thread that
//! sends them each has its length before it.

mod connection;
pub(crate) mod journal;
mod large;
pub(crate) mod syslog;
pub(super) mod target;

/// A line, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) cluster: &'a str,
    /// The logical id of the worker; `None` for a line of the supervisor's own.
    pub(super) worker: Option<&'a str>,
    pub(super) pid: u32,
    /// `stdout`, `stderr` or `log`.
    pub(super) stream: &'a str,
    /// As syslog numbers them: 3 error, 4 warning, 6 information, 7 for who looks for faults.
    pub(super) priority: u8,
    pub(super) text: &'a [u8],
}

/// What a program says of its line, as sd-daemon.h has it: `<3>disk failure`; else it is information.
pub(super) fn priority_of(text: &[u8]) -> (u8, &[u8]) {
    match text {
        [b'<', digit @ b'0'..=b'7', b'>', rest @ ..] => (digit - b'0', rest),
        _ => (6, text),
    }
}

/// Appends a record that `write` writes.
fn append(into: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0; 4]);
    write(into);
    let len = u32::try_from(into.len() - start - 4).unwrap_or(0);
    if let Some(place) = into.get_mut(start..start + 4) {
        place.copy_from_slice(&len.to_le_bytes());
    }
}

/// The records that were appended.
fn each(mut records: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = records.split_first_chunk()?;
        let (record, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        records = rest;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut batch = Vec::new();
        for record in [&b"one\n"[..], b"", b"three"] {
            append(&mut batch, |into| into.extend_from_slice(record));
        }
        assert_eq!(each(&batch).collect::<Vec<_>>(), [&b"one\n"[..], b"", b"three"]);
    }

    #[test]
    fn a_program_may_say_how_bad_it_is() {
        assert_eq!(priority_of(b"<3>disk failure"), (3, &b"disk failure"[..]));
        for text in [&b"<8>x"[..], b"<31>x", b"<3", b"plain", b""] {
            assert_eq!(priority_of(text), (6, text));
        }
    }
}
