//! Programs of every kind, crafted and real.

use super::{Context, Program, ProgramError, Verdict};
use crate::io::launch::elf::craft::Craft;
use crate::io::scratch::Scratch;
use nix::unistd::{Gid, Uid};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

fn context(search_path: impl Into<OsString>) -> Context {
    Context { search_path: search_path.into(), uid: Uid::current(), gid: Gid::current(), no_new_privs: false }
}

fn resolve(path: impl AsRef<Path>) -> Result<Program, ProgramError> {
    Program::resolve_in(path.as_ref().as_os_str(), &context("/nowhere"))
}

fn verdict(path: impl AsRef<Path>) -> Verdict {
    resolve(path).unwrap().verdict
}

#[test]
fn real_programs() {
    for name in ["sh", "env", "ls"] {
        let program = Program::resolve(name.as_ref()).unwrap();
        assert_eq!(program.verdict, Verdict::Ok, "{program:?}");
        assert!(program.explain().is_none());
    }
    assert_eq!(verdict("/bin/sh"), Verdict::Ok);
}

#[test]
fn the_search_is_that_of_execvp() {
    let scratch = Scratch::new();
    let elf = Craft::dynamic().bytes();
    scratch.dir("a/prog", 0o755);
    scratch.file("b/prog", &elf, 0o644);
    let good = scratch.file("c/prog", &elf, 0o755);
    let at = |list: &[&str]| {
        let list: Vec<_> = list.iter().map(|name| scratch.path().join(name).display().to_string()).collect();
        context(list.join(":"))
    };
    // A directory, a file without x and a missing directory do not end the search.
    let found = Program::resolve_in("prog".as_ref(), &at(&["missing", "a", "b", "c"])).unwrap();
    assert_eq!(found.path, good);

    let only_bad = Program::resolve_in("prog".as_ref(), &at(&["missing", "b"])).unwrap_err();
    assert!(matches!(&only_bad, ProgramError::NotExecutable(path) if path.ends_with("b/prog")), "{only_bad}");
    let only_dir = Program::resolve_in("prog".as_ref(), &at(&["a"])).unwrap_err();
    assert!(matches!(&only_dir, ProgramError::IsDirectory(_)), "{only_dir}");
    let none = Program::resolve_in("prog".as_ref(), &at(&["missing"])).unwrap_err();
    assert!(none.to_string().contains("no such command in PATH"), "{none}");

    // An empty entry is the current directory, in which the tests of this package run.
    let here = super::find("Cargo.toml".as_ref(), "/nowhere::".as_ref()).unwrap_err();
    assert!(
        matches!(&here, ProgramError::NotExecutable(path) if path == Path::new("./Cargo.toml")),
        "{here}"
    );
}

#[test]
fn paths_that_are_no_program() {
    let scratch = Scratch::new();
    let missing = resolve(scratch.path().join("missing")).unwrap_err();
    assert!(matches!(missing, ProgramError::NoSuchFile(_)), "{missing}");
    let below_file = resolve(scratch.file("file", "", 0o644).join("x")).unwrap_err();
    assert!(matches!(below_file, ProgramError::NoSuchFile(_)), "{below_file}");
    let directory = resolve(scratch.path()).unwrap_err();
    assert!(matches!(directory, ProgramError::IsDirectory(_)), "{directory}");
    let plain = resolve(scratch.path().join("file")).unwrap_err();
    assert!(matches!(plain, ProgramError::NotExecutable(_)), "{plain}");
    let device = resolve("/dev/null").unwrap_err();
    assert!(matches!(device, ProgramError::NotExecutable(_)), "{device}");
    for error in [missing, below_file, directory, plain, device] {
        assert!(!error.to_string().contains('\n'));
    }
}

#[test]
fn what_the_thunk_cannot_enter() {
    let scratch = Scratch::new();
    let file = |name: &str, craft: Craft| scratch.file(name, craft.bytes(), 0o755);
    assert_eq!(verdict(file("dynamic", Craft::dynamic())), Verdict::Ok);
    assert_eq!(verdict(file("static", Craft::new(2))), Verdict::Static);
    assert_eq!(verdict(file("static-pie", Craft::new(3))), Verdict::Static);
    assert_eq!(verdict(file("object", Craft::new(1))), Verdict::NotElf);
    assert_eq!(verdict(file("go", Craft::dynamic().note(b"Go\0\0"))), Verdict::Go);
    assert_eq!(verdict(file("go-static", Craft::new(2).section(".go.buildinfo"))), Verdict::Go);
    let foreign = verdict(file("foreign", Craft::dynamic().machine(1, 1, 3)));
    assert_eq!(foreign, Verdict::OtherArch("32-bit x86".into()));
    assert_eq!(verdict(scratch.file("text", "echo hello\n", 0o755)), Verdict::NotElf);
    assert_eq!(verdict(scratch.file("empty", "", 0o755)), Verdict::NotElf);
    // Those that only start another program need no thunk, and the dynamic linker brings its own means.
    assert_eq!(verdict(file("tini-static", Craft::new(2))), Verdict::Ok);
    assert_eq!(verdict(file("ld-linux-x86-64.so.2", Craft::new(3))), Verdict::Ok);

    let refusal = resolve(scratch.path().join("static")).unwrap().explain().unwrap();
    assert!(
        refusal.contains("statically linked")
            && refusal.contains("the library cannot intercept its listeners"),
        "{refusal}"
    );
    assert!(!refusal.contains('\n'));
}

#[test]
fn scripts_are_judged_by_their_interpreter() {
    let scratch = Scratch::new();
    let elf = scratch.file("bin/static", Craft::new(2).bytes(), 0o755);
    let direct = scratch.file("direct", format!("#!{}\n", elf.display()), 0o755);
    let nested = scratch.file("nested", format!("#! {} -x\n", direct.display()), 0o755);
    let program = resolve(&nested).unwrap();
    assert_eq!((program.path, program.subject, program.verdict), (nested, elf, Verdict::Static));

    let by_env = context(scratch.path().join("bin"));
    for line in ["#!/usr/bin/env static\n", "#!/usr/bin/env -S A=1 static --flag\n"] {
        let script = scratch.file("by-env", line, 0o755);
        assert_eq!(Program::resolve_in(script.as_os_str(), &by_env).unwrap().verdict, Verdict::Static);
    }
    let shell = scratch.file("shell", "#!/bin/sh\nexec static\n", 0o755);
    assert_eq!(verdict(shell), Verdict::Ok);

    let lost = scratch.file("lost", "#!/usr/bin/env no-such-interpreter\n", 0o755);
    let told = resolve(&lost).unwrap_err().to_string();
    assert!(told.contains("lost") && told.contains("no-such-interpreter"), "{told}");
    let circle = scratch.path().join("circle");
    scratch.file("circle", format!("#!{}\n", circle.display()), 0o755);
    assert!(matches!(resolve(&circle).unwrap_err(), ProgramError::TooManyInterpreters(_)));
}

#[test]
fn set_id_counts_when_it_changes_something() {
    let scratch = Scratch::new();
    let elf = Craft::dynamic().bytes();
    let setuid = scratch.file("setuid", &elf, 0o4755);
    let setgid = scratch.file("setgid", &elf, 0o2755);
    let locking = scratch.file("locking", &elf, 0o2745);
    let mine = context("");
    let mut other = context("");
    other.uid = Uid::from_raw(setuid.metadata().unwrap().uid() + 1);
    other.gid = Gid::from_raw(setgid.metadata().unwrap().gid() + 1);
    let verdict = |path: &Path, who: &Context| Program::resolve_in(path.as_os_str(), who).unwrap().verdict;
    for path in [&setuid, &setgid, &locking] {
        assert_eq!(verdict(path, &mine), Verdict::Ok, "{path:?}");
    }
    assert_eq!(verdict(&setuid, &other), Verdict::SetId);
    assert_eq!(verdict(&setgid, &other), Verdict::SetId);
    assert_eq!(verdict(&locking, &other), Verdict::Ok);
    // Through a symbolic link and a script it is the file at the end that counts.
    let link = scratch.path().join("link");
    symlink(&setuid, &link).unwrap();
    let script = scratch.file("script", format!("#!{}\n", link.display()), 0o4755);
    assert_eq!(verdict(&script, &other), Verdict::SetId);
    other.no_new_privs = true;
    assert_eq!(verdict(&setuid, &other), Verdict::Ok);
}

#[test]
fn file_capabilities() {
    let scratch = Scratch::new();
    let path = scratch.file("capable", Craft::dynamic().bytes(), 0o755);
    // Version 2, effective, CAP_NET_BIND_SERVICE.
    let value: [u32; 5] = [0x0200_0001, 1 << 10, 0, 0, 0];
    let value: Vec<u8> = value.iter().flat_map(|word| word.to_le_bytes()).collect();
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: both strings end with NUL, and the value is read within its own length.
    let set = unsafe {
        libc::setxattr(name.as_ptr(), c"security.capability".as_ptr(), value.as_ptr().cast(), value.len(), 0)
    };
    let mut who = context("");
    who.uid = Uid::from_raw(12345);
    let judged = |who: &Context| Program::resolve_in(path.as_os_str(), who).unwrap().verdict;
    // Only the privileged can set it; without it the file is an ordinary one.
    assert_eq!(judged(&who), if set == 0 { Verdict::FileCaps } else { Verdict::Ok });
    who.uid = Uid::from_raw(0);
    assert_eq!(judged(&who), Verdict::Ok);
}
