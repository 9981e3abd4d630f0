//! Tries in a process of its own whether workers can be brought to what they may do: the same steps in the same order, and then the end. What
//! the kernel refuses is known before anything is started; nothing is executed.

use super::interception::How;
use super::launch_spec::LaunchSpec;
use super::spawn::c_path;
use crate::io::privileges::error::PrivilegesError;
use crate::io::privileges::step::Step;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// An error if no worker could be started, with this library if it is to have one.
pub(crate) fn run(spec: &LaunchSpec, library: Option<&Path>) -> Result<(), PrivilegesError> {
    let confinement = &spec.confinement;
    if confinement.is_empty() {
        return Ok(());
    }
    let library = library.filter(|_| spec.interception.how == How::Preload);
    confinement.check_own_rights(spec.interception.how == How::Seccomp)?;
    if let Some((root, library)) = confinement.root.as_deref().zip(library) {
        check_library(spec, root, library)?;
    }
    let error = match attempt(spec, library) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    match Step::of(&error) {
        Some((Step::Done, _)) => Ok(()),
        Some((step, error)) => Err(PrivilegesError::Refused(spec.explain(step, &error, library))),
        None => Err(PrivilegesError::Refused(format!("what workers may do cannot be tried: {error}"))),
    }
}

/// Always an error, of which the kind tells how far it came.
#[expect(clippy::disallowed_methods, reason = "nothing is executed")]
fn attempt(spec: &LaunchSpec, library: Option<&Path>) -> io::Result<()> {
    let entrance = spec.confinement.entrance(0, spec.cwd.as_deref().map(c_path).transpose()?)?;
    let (program, library) = (c_path(&spec.program)?, library.map(c_path).transpose()?);
    let mut command = Command::new(&spec.program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: runs between fork and exec, where only system calls are made and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            entrance.begin()?;
            entrance.finish()?;
            library.as_deref().map_or(Ok(()), |library| entrance.look_for_library(library))?;
            entrance.only_look(&program)
        });
    }
    let mut child = command.spawn()?;
    let _ = child.kill();
    child.wait().map(drop)
}

/// The same file has to be there: the dynamic linker of a worker looks for it below the root.
fn check_library(spec: &LaunchSpec, root: &Path, library: &Path) -> Result<(), PrivilegesError> {
    let fault = |what| PrivilegesError::Library { root: root.to_owned(), library: library.to_owned(), what };
    let inside = spec.confinement.below_root().run(|| fs::read(library));
    match (inside.and_then(|inside| inside), fs::read(library)) {
        (Ok(inside), Ok(outside)) if inside == outside => Ok(()),
        (Ok(_), _) => Err(fault("the library in it is another version")),
        (Err(_), _) => Err(fault("the library that workers load is not in it")),
    }
}
