//! The system call bpf(2): maps, and programs given as instructions. It knows no program; those who write one say what each of its
//! instructions is for.

pub(in crate::io) mod assembly;

use super::sockopt::set_option;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// One instruction, as the kernel reads it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(in crate::io) struct Instruction {
    pub(in crate::io) code: u8,
    /// The destination in the lower half, the source in the upper.
    pub(in crate::io) registers: u8,
    pub(in crate::io) offset: i16,
    pub(in crate::io) immediate: i32,
}

/// Kinds of maps (`enum bpf_map_type`).
pub(in crate::io) const ARRAY: u32 = 2;
pub(in crate::io) const ARRAY_OF_MAPS: u32 = 12;
pub(in crate::io) const LRU_HASH: u32 = 9;
pub(in crate::io) const REUSEPORT_SOCKARRAY: u32 = 20;
/// The map can be mapped into memory.
pub(in crate::io) const MMAPABLE: u32 = 1 << 10;

const MAP_CREATE: i32 = 0;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;
const PROG_LOAD: i32 = 5;
const PROG_TYPE_SK_REUSEPORT: u32 = 21;
const SO_ATTACH_REUSEPORT_EBPF: i32 = 52;
/// What the verifier says is as long as this at most; a longer text is left away.
const LOG: usize = 64 << 10;

/// `union bpf_attr` for MAP_CREATE, as far as it is used.
#[derive(Default)]
#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    flags: u32,
    inner_map: u32,
    numa_node: u32,
    name: [u8; 16],
}

/// The same for MAP_UPDATE_ELEM and MAP_DELETE_ELEM.
#[repr(C)]
struct Element {
    map: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// The same for PROG_LOAD.
#[derive(Default)]
#[repr(C)]
struct ProgLoad {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    attach_type: u32,
}

/// What a map is like.
#[derive(Clone, Copy, Debug)]
pub(in crate::io) struct Shape {
    pub(in crate::io) kind: u32,
    pub(in crate::io) key_size: u32,
    pub(in crate::io) value_size: u32,
    pub(in crate::io) entries: u32,
    pub(in crate::io) flags: u32,
}

/// Keys that are numbers of 32 bits: what all maps have whose keys are not said to be longer.
pub(in crate::io) const NUMBERS: u32 = 4;

/// Makes a map. One of maps has a map that says what those are like.
pub(in crate::io) fn create_map(
    name: &str,
    shape: Shape,
    inner: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let Shape { kind, key_size, value_size, entries, flags } = shape;
    let wanted = MapCreate {
        kind,
        key_size,
        value_size,
        max_entries: entries,
        flags,
        inner_map: inner.map_or(0, |inner| inner.as_raw_fd() as u32),
        name: short(name),
        ..MapCreate::default()
    };
    descriptor(call(MAP_CREATE, &wanted)?)
}

/// Puts a value into a map. That of a map of sockets is a socket, that of a map of maps a map.
pub(in crate::io) fn insert(map: BorrowedFd<'_>, key: u32, value: BorrowedFd<'_>) -> io::Result<()> {
    // As wide as the widest value that these maps take.
    let value = value.as_raw_fd() as u64;
    element(MAP_UPDATE_ELEM, map, &key, &raw const value as u64)
}

/// Takes the value of a key out of a map. That there is none is no error.
pub(in crate::io) fn remove(map: BorrowedFd<'_>, key: u32) -> io::Result<()> {
    match element(MAP_DELETE_ELEM, map, &key, 0) {
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Loads a program that chooses among the sockets of a port. If the kernel does not take it the error says what the verifier says.
pub(in crate::io) fn load_reuseport(
    name: &str,
    attach_type: u32,
    program: &[Instruction],
) -> io::Result<OwnedFd> {
    let license = c"MIT";
    let wanted = |log: &mut [u8]| ProgLoad {
        kind: PROG_TYPE_SK_REUSEPORT,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: u32::from(!log.is_empty()),
        log_size: log.len() as u32,
        log: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
        name: short(name),
        attach_type,
        ..ProgLoad::default()
    };
    let error = match call(PROG_LOAD, &wanted(&mut [])) {
        Ok(fd) => return descriptor(fd),
        Err(error) => error,
    };
    if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EACCES)) {
        return Err(error);
    }
    let mut log = vec![0; LOG];
    let fd = call(PROG_LOAD, &wanted(&mut log));
    if let Ok(fd) = fd {
        return descriptor(fd);
    }
    let text = String::from_utf8_lossy(log.split(|byte| *byte == 0).next().unwrap_or_default());
    log::debug!("the verifier on {name}: {}", text.trim_end());
    Err(error)
}

/// The group that the socket belongs to is steered by this program.
pub(in crate::io) fn attach_reuseport(socket: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program.as_raw_fd().to_ne_bytes())
}

fn element(command: i32, map: BorrowedFd<'_>, key: &u32, value: u64) -> io::Result<()> {
    let map = map.as_raw_fd() as u32;
    let wanted = Element { map, pad: 0, key: &raw const *key as u64, value, flags: 0 };
    call(command, &wanted).map(drop)
}

/// `wanted` is one of the structures above, and what it points to lives.
fn call<T>(command: i32, wanted: &T) -> io::Result<i32> {
    // SAFETY: the kernel reads the structure for its size, and what it points to: the callers above let that live. It writes
    // nothing but the verifier's text, for which there is room.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, &raw const *wanted, size_of::<T>()) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done as i32) }
}

fn descriptor(fd: i32) -> io::Result<OwnedFd> {
    // SAFETY: the kernel has just made it for us, with FD_CLOEXEC.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Names are for whoever lists what is loaded: 15 letters, digits, `_` and `.`.
fn short(name: &str) -> [u8; 16] {
    let mut short = [0; 16];
    for (place, byte) in short.iter_mut().zip(name.bytes().take(15)) {
        *place = byte;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn structures_are_those_of_the_kernel() {
        assert_eq!(size_of::<Instruction>(), 8);
        assert_eq!((offset_of!(MapCreate, inner_map), offset_of!(MapCreate, name)), (20, 28));
        assert_eq!((offset_of!(Element, key), offset_of!(Element, flags)), (8, 24));
        assert_eq!((offset_of!(ProgLoad, log), offset_of!(ProgLoad, name)), (32, 48));
        assert_eq!(offset_of!(ProgLoad, attach_type), 68);
    }

    #[test]
    fn names_are_cut() {
        assert_eq!(&short("clustermon_steering"), b"clustermon_stee\0");
    }
}
