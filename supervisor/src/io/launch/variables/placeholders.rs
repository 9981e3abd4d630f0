//! What stands in a command and in variables for what each worker has of its own: `{id}` and `{port}`. All else stays as it is.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

const ID: &str = "{id}";
const PORT: &str = "{port}";

/// What they stand for in one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placeholders {
    id: String,
    /// Where there is a base to count from.
    port: Option<u16>,
}

impl Placeholders {
    /// For the worker with this logical id in this place, counted from 0. `None` if its port would be above the last there is.
    pub(crate) fn of(id: &str, place: u32, base: Option<u16>) -> Option<Self> {
        let port =
            base.map(|base| u32::from(base).checked_add(place).and_then(|port| u16::try_from(port).ok()));
        match port {
            Some(None) => None,
            port => Some(Self { id: id.to_owned(), port: port.flatten() }),
        }
    }

    /// The text with what they stand for. What is put in is not looked at again.
    pub(crate) fn fill(&self, text: &OsStr) -> OsString {
        let mut filled = Vec::new();
        let mut rest = text.as_bytes();
        while let Some(byte) = rest.first() {
            let port = self.port.filter(|_| rest.starts_with(PORT.as_bytes()));
            let (value, len) = match port {
                Some(port) => (port.to_string().into_bytes(), PORT.len()),
                None if rest.starts_with(ID.as_bytes()) => (self.id.clone().into_bytes(), ID.len()),
                None => (vec![*byte], 1),
            };
            filled.extend(value);
            rest = rest.get(len..).unwrap_or_default();
        }
        OsString::from_vec(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_filled_in_once_and_nothing_else_is() {
        let third = Placeholders::of("{port}", 2, Some(4000)).unwrap();
        for (text, expected) in [
            ("--port={port}", "--port=4002"),
            ("{id}-{id}", "{port}-{port}"),
            ("{ id } {ID} {port", "{ id } {ID} {port"),
            ("é{port}", "é4002"),
            ("", ""),
        ] {
            assert_eq!(third.fill(OsStr::new(text)), OsStr::new(expected), "{text}");
        }
        let without = Placeholders::of("a", 2, None).unwrap();
        assert_eq!(without.fill(OsStr::new("{port} {id}")), OsStr::new("{port} a"));
        let odd = OsString::from_vec(vec![0xff, b'{', b'i', b'd', b'}']);
        assert_eq!(without.fill(&odd), OsString::from_vec(vec![0xff, b'a']));
    }

    #[test]
    fn there_is_a_last_port() {
        assert!(Placeholders::of("1", 1, Some(65_534)).is_some());
        assert!(Placeholders::of("2", 2, Some(65_534)).is_none());
    }
}
