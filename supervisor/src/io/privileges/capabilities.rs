//! Capabilities of the calling thread, by the kernel's own calls: those of libc speak of whole processes, and some of them allocate.

use std::fs;
use std::io;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`, for 32 capabilities.
#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

const VERSION_3: u32 = 0x2008_0522;
/// More than there are.
const MOST: u64 = 64;

fn prctl(option: i32, two: u64, three: u64) -> io::Result<i32> {
    // SAFETY: these options take numbers, and no memory is involved.
    let done = unsafe { libc::prctl(option, two, three, 0_u64, 0_u64) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(done) }
}

/// Whether a change of the user leaves the permitted ones. Only makes a system call.
pub(super) fn keep_over_change_of_user() -> io::Result<()> {
    prctl(libc::PR_SET_KEEPCAPS, 1, 0).map(drop)
}

/// Programs that are executed from now on can gain no others. Only makes system calls.
pub(super) fn bound(kept: u64) -> io::Result<()> {
    for number in 0..MOST {
        match prctl(libc::PR_CAPBSET_READ, number, 0) {
            Ok(1) if kept & 1 << number == 0 => drop(prctl(libc::PR_CAPBSET_DROP, number, 0)?),
            Ok(_) => {}
            // The kernel knows no more.
            Err(_) => break,
        }
    }
    Ok(())
}

/// Has these and no others, also over exec. Only makes system calls.
pub(super) fn take(kept: u64) -> io::Result<()> {
    let header = Header { version: VERSION_3, pid: 0 };
    let half = |bits: u64| Half { effective: bits as u32, permitted: bits as u32, inheritable: bits as u32 };
    let halves = [half(kept), half(kept >> 32)];
    // SAFETY: the header says that there are two halves, and the kernel writes neither.
    if unsafe { libc::syscall(libc::SYS_capset, &raw const header, halves.as_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL as u64, 0)?;
    for number in (0..MOST).filter(|number| kept & 1 << number != 0) {
        prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE as u64, number)?;
    }
    Ok(())
}

/// Whether this process has that one now.
pub(super) fn has(number: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let set = line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    set.is_some_and(|set| set & 1 << number != 0)
}
