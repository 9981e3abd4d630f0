//! The way of a new process, between fork and exec, to what it may do. Only system calls are made, and nothing is allocated: the process has one
//! thread of those that the supervisor has, and any of the others may have held a lock.

use super::accounts::Credentials;
use super::affinity::CpuSet;
use super::capabilities;
use super::confinement::Confinement;
use super::step::Step;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// What a new process is to become; made before the fork.
#[derive(Debug)]
pub(crate) struct Entrance {
    confinement: Confinement,
    limits: Vec<(u32, libc::rlimit64)>,
    cpus: Option<CpuSet>,
    /// Where a process enters its control group.
    group: Option<File>,
    cwd: Option<CString>,
}

impl Confinement {
    /// That of the worker in this slot, which runs in that directory if one was named.
    pub(crate) fn entrance(&self, slot: u32, cwd: Option<CString>) -> io::Result<Entrance> {
        let group = self.groups.as_ref().map(|groups| groups.make()).transpose()?;
        let cpus = self.affinity.as_ref().map(|affinity| affinity.of(slot));
        Ok(Entrance { group, cpus, ..self.entrance_of_hook(cwd) })
    }

    /// That of a process that is no worker: the control group and the CPUs are workers'.
    pub(crate) fn entrance_of_hook(&self, cwd: Option<CString>) -> Entrance {
        let of_limit = |limit: &crate::settings::ResourceLimit| {
            (limit.resource(), libc::rlimit64 { rlim_cur: limit.soft(), rlim_max: limit.hard() })
        };
        let limits = self.told.limit.iter().map(of_limit).collect();
        Entrance { group: None, limits, cpus: None, cwd, confinement: self.clone() }
    }
}

impl Entrance {
    /// The first part, with the rights of the supervisor: control group, limits, priority, CPUs, root and directory.
    pub(crate) fn begin(&self) -> io::Result<()> {
        if let Some(group) = &self.group {
            let own = b"0";
            // SAFETY: the kernel reads one byte of ours.
            let done = unsafe { libc::write(group.as_raw_fd(), own.as_ptr().cast(), own.len()) };
            said(done as libc::c_long).map_err(|error| Step::ControlGroup.failed(&error))?;
        }
        let told = &self.confinement.told;
        for (at, (resource, limit)) in self.limits.iter().enumerate() {
            // SAFETY: the kernel reads one limit of ours, and has none to write.
            let done = unsafe {
                libc::syscall(
                    libc::SYS_prlimit64,
                    0,
                    *resource,
                    &raw const *limit,
                    std::ptr::null::<libc::rlimit64>(),
                )
            };
            said(done).map_err(|error| Step::Limit(u8::try_from(at).unwrap_or(u8::MAX)).failed(&error))?;
        }
        if let Some(nice) = told.nice {
            // SAFETY: no memory is involved.
            let done = unsafe { libc::syscall(libc::SYS_setpriority, libc::PRIO_PROCESS, 0, nice) };
            said(done).map_err(|error| Step::Nice.failed(&error))?;
        }
        if let Some(cpus) = &self.cpus {
            cpus.take().map_err(|error| Step::Cpus.failed(&error))?;
        }
        if let Some(Credentials { groups: Some(groups), .. }) = &self.confinement.credentials {
            // SAFETY: the kernel reads so many numbers of ours.
            let done = unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
            said(done).map_err(|error| Step::Groups.failed(&error))?;
        }
        if let Some(root) = &self.confinement.root_path {
            // SAFETY: the path ends with a NUL.
            let done = unsafe { libc::chroot(root.as_ptr()) };
            said(done.into()).map_err(|error| Step::Root.failed(&error))?;
            go_to(c"/").map_err(|error| Step::Root.failed(&error))?;
        }
        if let Some(cwd) = &self.cwd {
            go_to(cwd).map_err(|error| Step::Directory.failed(&error))?;
        }
        Ok(())
    }

    /// The second part: rights are given up.
    pub(crate) fn finish(&self) -> io::Result<()> {
        let Confinement { credentials, kept, told, .. } = &self.confinement;
        if let Some(Credentials { uid, gid, .. }) = credentials {
            let gid = gid.as_raw();
            // SAFETY: no memory is involved.
            said(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })
                .map_err(|error| Step::Group.failed(&error))?;
            self.bound(*kept)?;
            let uid = uid.as_raw();
            // SAFETY: no memory is involved.
            said(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })
                .map_err(|error| Step::User.failed(&error))?;
        } else {
            self.bound(*kept)?;
        }
        if let Some(kept) = kept {
            capabilities::take(*kept).map_err(|error| Step::Keep.failed(&error))?;
        }
        if told.no_new_privs {
            nix::sys::prctl::set_no_new_privs().map_err(|errno| Step::NoNewPrivs.failed(&errno.into()))?;
        }
        Ok(())
    }

    /// Before the user changes, who would lose the right to do this.
    fn bound(&self, kept: Option<u64>) -> io::Result<()> {
        let Some(kept) = kept else { return Ok(()) };
        match capabilities::bound(kept) {
            // Nothing that is executed can gain any.
            Err(_) if self.confinement.told.no_new_privs => {}
            done => done.map_err(|error| Step::Bound.failed(&error))?,
        }
        capabilities::keep_over_change_of_user().map_err(|error| Step::Keep.failed(&error))
    }

    /// Whether the library can be read; where it cannot, the program would run without it.
    pub(crate) fn look_for_library(&self, library: &CStr) -> io::Result<()> {
        may(library, libc::R_OK).map_err(|error| Step::Library.failed(&error))
    }

    /// All that exec and the program would find, and then the end.
    pub(crate) fn only_look(&self, program: &CStr) -> io::Result<()> {
        may(program, libc::X_OK).map_err(|error| Step::Program.failed(&error))?;
        if self.cwd.is_some() {
            may(c".", libc::X_OK).map_err(|error| Step::Entered.failed(&error))?;
        }
        Err(Step::Done.failed(&io::Error::from_raw_os_error(0)))
    }
}

fn said(done: libc::c_long) -> io::Result<()> {
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn go_to(path: &CStr) -> io::Result<()> {
    // SAFETY: the path ends with a NUL.
    said(unsafe { libc::chdir(path.as_ptr()) }.into())
}

/// By the real user, who is the effective one as well by then.
fn may(path: &CStr, mode: libc::c_int) -> io::Result<()> {
    // SAFETY: the path ends with a NUL.
    said(unsafe { libc::syscall(libc::SYS_faccessat, libc::AT_FDCWD, path.as_ptr(), mode) })
}
