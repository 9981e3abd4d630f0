//! Reads as much of an ELF file as tells whether the thunk can be loaded into it. Every offset in the file is
//! checked and every amount bounded; nothing is mapped or run.

#[cfg(test)]
pub(crate) mod craft;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What a file turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No ELF file, or one that the kernel would not take.
    NotElf,
    /// An ELF file for another machine: which.
    Foreign(String),
    /// An ELF file for this machine.
    Ours(Elf),
}

/// What matters of an ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Elf {
    pub(crate) kind: Kind,
    /// It asks for a dynamic linker, which is what loads the thunk.
    pub(crate) has_interpreter: bool,
    /// Which one, if it is told in full.
    pub(crate) linker: Option<PathBuf>,
    /// It holds Go's runtime, which makes its system calls itself.
    pub(crate) is_go: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// ET_EXEC.
    FixedExecutable,
    /// ET_DYN: a shared object or a position-independent executable.
    SharedObject,
    /// An object file or a core dump.
    Other,
}

const HEADER_LEN: usize = 64;
const PROGRAM_HEADER_LEN: u16 = 56;
const SECTION_HEADER_LEN: u16 = 64;
/// The kernel takes no more than 64 KiB of program headers.
const MAX_PROGRAM_HEADERS: u16 = 1170;
const MAX_SECTION_HEADERS: u16 = 4096;
const MAX_NOTES: u64 = 64 << 10;
const MAX_NAMES: u64 = 1 << 20;
/// The kernel takes no longer path of a dynamic linker.
const MAX_LINKER: u64 = 4096;

const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const ELFCLASS64: u8 = 2;
const OUR_DATA: u8 = if cfg!(target_endian = "little") { 1 } else { 2 };
const OUR_MACHINE: u16 = if cfg!(target_arch = "x86_64") {
    62
} else if cfg!(target_arch = "aarch64") {
    183
} else {
    // No thunk exists for any other machine, so nothing may match.
    0
};

/// Looks into an open file, whatever its offset. An error is one of reading, never of content.
pub(crate) fn read(file: &File) -> io::Result<Found> {
    let mut header = [0; HEADER_LEN];
    let read = read_up_to(file, &mut header, 0)?;
    if read < 20 || !header.starts_with(b"\x7fELF") {
        return Ok(Found::NotElf);
    }
    let (class, data) = (header[4], header[5]);
    let bytes = [header[18], header[19]];
    let machine = if data == 2 { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
    if (class, data, machine) != (ELFCLASS64, OUR_DATA, OUR_MACHINE) {
        return Ok(Found::Foreign(describe(class, data, machine)));
    }
    if read < HEADER_LEN {
        return Ok(Found::NotElf);
    }
    let kind = match u16_at(&header, 16) {
        2 => Kind::FixedExecutable,
        3 => Kind::SharedObject,
        _ => Kind::Other,
    };
    let mut elf = Elf { kind, has_interpreter: false, linker: None, is_go: false };
    let (count, len) = (u16_at(&header, 56), u16_at(&header, 54));
    if count > MAX_PROGRAM_HEADERS || (count > 0 && len != PROGRAM_HEADER_LEN) {
        return Ok(Found::NotElf);
    }
    let Some(headers) = read_exact(file, u64_at(&header, 32), u64::from(count) * u64::from(len))? else {
        return Ok(Found::NotElf);
    };
    for segment in headers.chunks_exact(usize::from(PROGRAM_HEADER_LEN)) {
        match u32_at(segment, 0) {
            PT_INTERP => {
                elf.has_interpreter = true;
                let len = u64_at(segment, 32).min(MAX_LINKER);
                let text = read_exact(file, u64_at(segment, 8), len)?.unwrap_or_default();
                elf.linker = text.strip_suffix(b"\0").filter(|path| path.starts_with(b"/")).map(path_of);
            }
            PT_NOTE => {
                let len = u64_at(segment, 32).min(MAX_NOTES);
                let notes = read_exact(file, u64_at(segment, 8), len)?.unwrap_or_default();
                elf.is_go |= holds_go_note(&notes);
            }
            _ => {}
        }
    }
    elf.is_go = elf.is_go || has_section(file, &header, b".go.buildinfo")?;
    Ok(Found::Ours(elf))
}

fn path_of(bytes: &[u8]) -> PathBuf {
    Path::new(OsStr::from_bytes(bytes)).to_owned()
}

/// Whether one of the notes is from the Go linker. Each is: name length, content length, type, both padded to 4.
fn holds_go_note(mut notes: &[u8]) -> bool {
    while notes.len() >= 12 {
        let (name_len, content_len) = (u32_at(notes, 0) as usize, u32_at(notes, 4) as usize);
        let Some(name) = notes.get(12..12usize.saturating_add(name_len)) else { return false };
        if name == b"Go\0\0" {
            return true;
        }
        let padded = |len: usize| len.saturating_add(3) & !3;
        let next = 12usize.saturating_add(padded(name_len)).saturating_add(padded(content_len));
        notes = notes.get(next..).unwrap_or_default();
    }
    false
}

/// Whether a section has this name. A file without section headers, or with odd ones, has none.
fn has_section(file: &File, header: &[u8; HEADER_LEN], name: &[u8]) -> io::Result<bool> {
    let (count, len, names_index) = (u16_at(header, 60), u16_at(header, 58), u16_at(header, 62));
    if count == 0 || count > MAX_SECTION_HEADERS || len != SECTION_HEADER_LEN || names_index >= count {
        return Ok(false);
    }
    let Some(headers) = read_exact(file, u64_at(header, 40), u64::from(count) * u64::from(len))? else {
        return Ok(false);
    };
    let mut sections = headers.chunks_exact(usize::from(SECTION_HEADER_LEN));
    let Some(table) = sections.clone().nth(usize::from(names_index)) else { return Ok(false) };
    let (offset, len) = (u64_at(table, 24), u64_at(table, 32).min(MAX_NAMES));
    let Some(names) = read_exact(file, offset, len)? else { return Ok(false) };
    Ok(sections.any(|section| {
        let rest = names.get(u32_at(section, 0) as usize..).unwrap_or_default();
        rest.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&0))
    }))
}

/// `len` bytes at `offset`, or `None` where the file does not have them.
fn read_exact(file: &File, offset: u64, len: u64) -> io::Result<Option<Vec<u8>>> {
    let Ok(len) = usize::try_from(len) else { return Ok(None) };
    if i64::try_from(offset).is_err() {
        return Ok(None);
    }
    let mut bytes = vec![0; len];
    let read = read_up_to(file, &mut bytes, offset)?;
    Ok((read == len).then_some(bytes))
}

/// Fills as much of `bytes` as the file has at `offset`.
pub(crate) fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], offset.saturating_add(read as u64)) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(read)
}

fn describe(class: u8, data: u8, machine: u16) -> String {
    let bits = match class {
        1 => "32-bit ",
        2 => "64-bit ",
        _ => "",
    };
    let order = match (data, machine) {
        // Only these are found in both byte orders.
        (2, 8 | 21 | 40 | 183) => "big-endian ",
        _ => "",
    };
    match machine {
        2 | 43 => format!("{bits}SPARC"),
        3 => "32-bit x86".to_owned(),
        8 => format!("{bits}{order}MIPS"),
        20 => "32-bit PowerPC".to_owned(),
        21 => format!("{bits}{order}PowerPC"),
        22 => format!("{bits}s390"),
        40 => format!("{bits}{order}ARM"),
        62 if class == 1 => "x32".to_owned(),
        62 => "x86-64".to_owned(),
        183 => format!("{bits}{order}ARM"),
        243 => format!("{bits}RISC-V"),
        258 => format!("{bits}LoongArch"),
        other => format!("ELF machine {other}"),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes(array(bytes, at))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(array(bytes, at))
}

/// The bytes of a field. Callers hold a header of fixed length, or have looked that the bytes are there.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[at..at + N]);
    field
}

#[cfg(test)]
mod tests;
