//! The verdicts on the command itself: what it names, whether the thunk can enter it, what loads it. Reads nothing.

use super::{CAP_SYS_ADMIN, Case, Check, no, note, ok};
use crate::io::launch::host_checks::HostChecks;
use crate::io::launch::interception::{How, Interception};
use crate::io::launch::program::{Program, Verdict};
use std::path::{Path, PathBuf};

/// What the words name.
pub(super) fn command(program: &Program) -> Check {
    let mut chain = shown(&program.path);
    for interpreter in &program.interpreters {
        chain.push_str(" -> ");
        chain.push_str(&shown(interpreter));
    }
    ok("command", chain)
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Whether its listeners can be intercepted.
pub(super) fn program(case: &Case<'_>) -> Check {
    let program = case.program;
    let refused = match &case.interception {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    let advice = match program.verdict {
        Verdict::Ok if program.is_wrapper() => {
            return note(
                "program",
                format!("{} only starts another program, which this cannot see", shown(&program.subject)),
                "ask again with that one as the command",
            );
        }
        Verdict::Ok => {
            return match program.linker {
                Some(_) => ok("program", "64-bit ELF for this machine, dynamically linked"),
                None => note(
                    "program",
                    format!("{} may be executed but tells nothing of itself", shown(&program.subject)),
                    "if it is statically linked, a Go program or setuid, it will not listen as a worker",
                ),
            };
        }
        Verdict::Static if case.interception.is_ok() => {
            return ok("program", "64-bit ELF for this machine, statically linked");
        }
        Verdict::Go if case.interception.is_ok() => return ok("program", "a Go program for this machine"),
        Verdict::Static | Verdict::Go => "leave --intercept preload away",
        Verdict::SetId => {
            "start clustermon as that user, and a copy of the program without the bit; `clustermon run` refuses it as it is"
        }
        Verdict::FileCaps => {
            "start a copy without them and give clustermon the capabilities as ambient ones, as AmbientCapabilities= of systemd does; `clustermon run` refuses it as it is"
        }
        Verdict::OtherArch(_) => "get the program for this machine; `clustermon run` refuses this one",
        Verdict::NotElf => "`clustermon run` refuses it as it is",
    };
    no("program", refused, advice)
}

/// How its listeners come to the cluster.
pub(super) fn interception(facts: &HostChecks, found: Interception) -> Check {
    let told = format!("{}: {}", found.how, found.because);
    match (found.how, &facts.filter) {
        (How::Preload, _) => ok("intercept", told),
        (How::Seccomp, Err(lacks)) => no("intercept", told, lacks.clone()),
        (How::Seccomp, Ok(())) if facts.no_new_privs || facts.capabilities & 1 << CAP_SYS_ADMIN != 0 => {
            ok("intercept", told)
        }
        (How::Seccomp, Ok(())) => {
            let advice = "the filter needs no_new_privs here: sudo, ping and other setuid programs that workers start gain \
                          nothing; with CAP_SYS_ADMIN it does not";
            note("intercept", told, advice)
        }
    }
}

/// Which C library loads it, by the name of the dynamic linker.
pub(super) fn libc(case: &Case<'_>) -> Option<Check> {
    let linker = case.program.linker.as_ref()?;
    let path = shown(linker);
    if case.linker_is_there == Some(false) {
        let advice = "install the C library that it was made for; until then the kernel does not start it";
        return Some(no("libc", format!("{path}: there is no such dynamic linker"), advice));
    }
    let name = linker.file_name().unwrap_or_default().to_string_lossy();
    Some(if name.starts_with("ld-linux") {
        ok("libc", format!("glibc ({path})"))
    } else if name.starts_with("ld-musl") {
        ok("libc", format!("musl ({path})"))
    } else {
        let advice = "only glibc and musl were tried; look for `listens on` in the log";
        note("libc", format!("neither glibc nor musl ({path})"), advice)
    })
}

/// Whether there is a file that workers could load.
pub(super) fn thunk(thunk: &Result<PathBuf, String>) -> Check {
    match thunk {
        Ok(path) => ok("thunk", shown(path)),
        Err(why) => {
            no("thunk", why.clone(), "choose a place that is not mounted noexec and that workers can read")
        }
    }
}
