//! A bounded writer and reader of little-endian fields. Neither ever panics; the writer remembers an overflow, the
//! reader answers `None` beyond the end.

use crate::address::Address;

/// Writes fields into a caller's buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
    overflow: bool,
}

impl<'a> Writer<'a> {
    /// Starts at the front of the buffer.
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, at: 0, overflow: false }
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.at..self.at + bytes.len()) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.at += bytes.len();
            }
            None => self.overflow = true,
        }
    }

    /// Appends a 16-bit number.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_le_bytes());
    }

    /// Appends a 32-bit number.
    pub fn u32(&mut self, value: u32) {
        self.raw(&value.to_le_bytes());
    }

    /// Appends a signed 32-bit number.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_le_bytes());
    }

    /// Appends a 64-bit number.
    pub fn u64(&mut self, value: u64) {
        self.raw(&value.to_le_bytes());
    }

    /// Appends a 16-bit length and the bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(len) => {
                self.u16(len);
                self.raw(bytes);
            }
            Err(_) => self.overflow = true,
        }
    }

    /// Appends an address.
    pub fn address(&mut self, address: &Address) {
        self.bytes(address.as_bytes());
    }

    /// How many bytes were written; `None` if they did not all fit.
    pub fn finish(self) -> Option<usize> {
        (!self.overflow).then_some(self.at)
    }
}

/// Reads fields from the front of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the front of the frame.
    pub fn new(frame: &'a [u8]) -> Self {
        Self { rest: frame }
    }

    /// True if nothing is left: the sender knew no further fields.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Takes `len` bytes.
    pub fn raw(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.raw(N)?.try_into().ok()
    }

    /// Takes a 16-bit number.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    /// Takes a 32-bit number.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// Takes a signed 32-bit number.
    pub fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    /// Takes a 64-bit number.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Takes a 16-bit length and that many bytes.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.raw(usize::from(len))
    }

    /// Takes an address.
    pub fn address(&mut self) -> Option<Address> {
        Address::from_raw(self.bytes()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overflow_is_remembered() {
        let mut buffer = [0; 5];
        let mut writer = Writer::new(&mut buffer);
        writer.u32(1);
        writer.u16(2);
        writer.raw(&[3]);
        assert_eq!(writer.finish(), None);
    }

    #[test]
    fn reading_beyond_the_end_is_none() {
        let mut reader = Reader::new(&[3, 0, 1, 2]);
        assert_eq!(reader.bytes(), None);
        assert_eq!(Reader::new(&[1]).u16(), None);
    }
}
