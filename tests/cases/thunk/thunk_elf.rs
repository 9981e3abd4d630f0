//! The thunk's file: it asks nothing of the process that it is loaded into, so that any process can load it.

use harness::thunk;
use std::collections::BTreeSet;
use std::fs;

/// What the compiler itself may call; every libc has them, and they are referred to without a version.
const FROM_THE_PROCESS: [&str; 6] = ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"];

const PT_DYNAMIC: u32 = 2;
const PT_TLS: u32 = 7;
const PT_GNU_STACK: u32 = 0x6474_e551;
const SHT_DYNSYM: u32 = 11;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_STRSZ: u64 = 10;
const DT_TEXTREL: u64 = 22;
const DT_FLAGS: u64 = 30;
const DT_VERSYM: u64 = 0x6fff_fff0;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DF_TEXTREL: u64 = 4;
const DF_STATIC_TLS: u64 = 16;
const STB_WEAK: u8 = 2;

/// A 64-bit little-endian ELF file.
struct Elf(Vec<u8>);

impl Elf {
    fn u16(&self, at: u64) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    fn bytes<const N: usize>(&self, at: u64) -> [u8; N] {
        self.0[at as usize..][..N].try_into().expect("the slice has this length")
    }

    fn text(&self, at: u64) -> &str {
        let rest = &self.0[at as usize..];
        let end = rest.iter().position(|byte| *byte == 0).expect("a string table ends with zero");
        str::from_utf8(&rest[..end]).expect("names are plain")
    }

    /// File positions of the program headers.
    fn segments(&self) -> Vec<u64> {
        (0..u64::from(self.u16(56))).map(|index| self.u64(32) + index * u64::from(self.u16(54))).collect()
    }

    fn sections(&self) -> Vec<u64> {
        (0..u64::from(self.u16(60))).map(|index| self.u64(40) + index * u64::from(self.u16(58))).collect()
    }

    /// Tag and value.
    fn dynamic(&self) -> Vec<(u64, u64)> {
        let header =
            self.segments().into_iter().find(|at| self.u32(*at) == PT_DYNAMIC).expect("it is a library");
        let (start, size) = (self.u64(header + 8), self.u64(header + 32));
        let entries = (start..start + size).step_by(16).map(|at| (self.u64(at), self.u64(at + 8)));
        entries.take_while(|(tag, _)| *tag != 0).collect()
    }

    /// Name, whether defined, and binding of every dynamic symbol.
    fn symbols(&self) -> Vec<(&str, bool, u8)> {
        let sections = self.sections();
        let table =
            *sections.iter().find(|at| self.u32(**at + 4) == SHT_DYNSYM).expect("it has dynamic symbols");
        let names = self.u64(sections[self.u32(table + 40) as usize] + 24);
        let (start, size) = (self.u64(table + 24), self.u64(table + 32));
        let symbol = |at| {
            (self.text(names + u64::from(self.u32(at))), self.u16(at + 6) != 0, self.0[at as usize + 4] >> 4)
        };
        (start..start + size).step_by(24).skip(1).map(symbol).collect()
    }
}

fn read() -> Elf {
    let elf = Elf(fs::read(thunk()).expect("it was built"));
    assert_eq!(&elf.0[..6], b"\x7fELF\x02\x01", "64 bits, little-endian");
    elf
}

#[test]
fn needs_no_library_and_no_version() {
    let elf = read();
    let dynamic = elf.dynamic();
    let value = |wanted| dynamic.iter().find(|(tag, _)| *tag == wanted).map(|(_, value)| *value);
    assert!(
        value(DT_STRTAB).is_some() && value(DT_STRSZ).is_some(),
        "the table was read wrongly: {dynamic:x?}"
    );
    assert_eq!(value(DT_NEEDED), None, "it has a DT_NEEDED");
    assert_eq!(value(DT_VERNEED), None, "it asks for a version of a symbol");
    assert_eq!(value(DT_VERSYM), None, "its symbols have versions");
}

#[test]
fn asks_only_for_what_may_be_missing() {
    let elf = read();
    let strong: BTreeSet<_> = elf
        .symbols()
        .into_iter()
        .filter(|(_, defined, binding)| !defined && *binding != STB_WEAK)
        .map(|(name, ..)| name)
        .filter(|name| !FROM_THE_PROCESS.contains(name))
        .collect();
    assert!(strong.is_empty(), "it does not load where one of these is missing: {strong:?}");
}

#[test]
fn defines_the_hooks_and_nothing_else() {
    let elf = read();
    let defined: BTreeSet<_> =
        elf.symbols().into_iter().filter(|(_, defined, _)| *defined).map(|(name, ..)| name).collect();
    for hook in [
        "bind",
        "listen",
        "accept",
        "accept4",
        "getsockname",
        "getpeername",
        "getsockopt",
        "setsockopt",
        "read",
        "readv",
        "preadv2",
        "preadv64v2",
        "recv",
        "recvfrom",
        "recvmsg",
        "recvmmsg",
        "__read_chk",
        "__recv_chk",
        "__recvfrom_chk",
        "write",
        "writev",
        "pwritev2",
        "pwritev64v2",
        "send",
        "sendto",
        "sendmsg",
        "sendmmsg",
        "sendfile",
        "sendfile64",
        "splice",
    ] {
        assert!(defined.contains(hook), "{hook} is not hooked: {defined:?}");
    }
    // What a program may call by itself, and interposing breaks.
    for never in [
        "close", "dup", "dup2", "dup3", "fork", "vfork", "execve", "fcntl", "ioctl", "open", "socket",
        "memcpy",
    ] {
        assert!(!defined.contains(never), "{never} is interposed");
    }
    let mangled: Vec<_> =
        defined.iter().filter(|name| name.starts_with("_ZN") || name.contains("rust")).collect();
    assert!(mangled.is_empty(), "internal names are visible: {mangled:?}");
}

#[test]
fn has_no_thread_locals_and_no_executable_stack() {
    let elf = read();
    for header in elf.segments() {
        assert_ne!(elf.u32(header), PT_TLS, "it has thread-local storage");
        let executable = elf.u32(header + 4) & 1 != 0;
        assert!(!(elf.u32(header) == PT_GNU_STACK && executable), "it makes the stack executable");
    }
    for (tag, value) in elf.dynamic() {
        assert_ne!(tag, DT_TEXTREL);
        assert!(tag != DT_FLAGS || value & (DF_TEXTREL | DF_STATIC_TLS) == 0, "flags {value:x}");
    }
}
