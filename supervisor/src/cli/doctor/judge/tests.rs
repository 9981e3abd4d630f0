//! Machines and programs of every kind.

use super::*;
use crate::config::Intercept;
use crate::io::launch::program::Verdict;

fn facts() -> HostChecks {
    HostChecks {
        release: "6.1.0-13-amd64".to_owned(),
        calls: vec![("pidfd_open", Ok(())), ("sock_diag", Ok(()))],
        seccomp: 0,
        no_new_privs: false,
        capabilities: 0,
        ptrace_scope: Some(1),
        unprivileged_bpf_disabled: Some(2),
        bpf: Err(Errno::EPERM),
        descriptors: (1024, 524_288),
        processes: None,
        cpus: (4, 4),
        memory: (Some(8 << 30), Some(8 << 30)),
        longest_queue: Some(4096),
        tells_queue: Some(true),
        steering: (false, "kernel:random: at random".to_owned()),
        flows: (false, "flow:hash: flows move".to_owned()),
        control: Ok("/run/user/1000/clustermon".into()),
        preload: None,
        filter: Ok(()),
    }
}

fn a_program(verdict: Verdict) -> Program {
    Program {
        path: "/srv/serve".into(),
        subject: "/usr/bin/python3".into(),
        verdict,
        interpreters: vec!["/usr/bin/env".into(), "/usr/bin/python3".into()],
        linker: Some("/lib64/ld-linux-x86-64.so.2".into()),
    }
}

fn all(facts: &HostChecks, program: &Program) -> Vec<Check> {
    let thunk = Ok("/usr/lib/clustermon/libclustermon_thunk.so".into());
    let interception = Interception::of(program, Intercept::Auto);
    judge(&Case { facts, program, interception, linker_is_there: Some(true), thunk: &thunk })
}

fn one<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.check == name).unwrap_or_else(|| panic!("{name} is among {checks:?}"))
}

/// The verdict on one thing, where one fact is another.
#[track_caller]
fn changed(name: &str, change: impl FnOnce(&mut HostChecks)) -> (Grade, String) {
    let mut facts = facts();
    change(&mut facts);
    let check = one(&all(&facts, &a_program(Verdict::Ok)), name).clone();
    assert_eq!(check.grade == Grade::Ok, check.advice.is_none(), "what is not well comes with what to do");
    (check.grade, format!("{}; {}", check.found, check.advice.unwrap_or_default()))
}

#[test]
fn an_ordinary_machine() {
    let checks = all(&facts(), &a_program(Verdict::Ok));
    assert!(checks.iter().all(|check| check.grade == Grade::Ok && check.advice.is_none()), "{checks:?}");
    assert_eq!(one(&checks, "command").found, "/srv/serve -> /usr/bin/env -> /usr/bin/python3");
    assert!(one(&checks, "libc").found.starts_with("glibc"));
    let mut names: Vec<_> = checks.iter().map(|check| check.check).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), checks.len(), "each is told once");
}

#[test]
fn programs_that_the_thunk_cannot_enter() {
    for (verdict, told) in [
        (Verdict::SetId, "without the bit"),
        (Verdict::FileCaps, "ambient"),
        (Verdict::OtherArch("32-bit x86".to_owned()), "32-bit x86"),
        (Verdict::NotElf, "through its interpreter"),
    ] {
        let checks = all(&facts(), &a_program(verdict.clone()));
        let check = one(&checks, "program");
        let line = format!("{}; {}", check.found, check.advice.as_deref().unwrap_or_default());
        assert_eq!(check.grade, Grade::No, "{verdict:?}");
        assert!(line.contains(told) && line.contains("`clustermon run` refuses"), "{verdict:?}: {line}");
    }
}

#[test]
fn programs_of_which_little_is_known() {
    let shell = Program { subject: "/usr/bin/bash".into(), ..a_program(Verdict::Ok) };
    let checks = all(&facts(), &shell);
    assert_eq!(one(&checks, "program").grade, Grade::Note);
    assert!(one(&checks, "program").found.contains("only starts another"));
    let unreadable = Program { linker: None, ..a_program(Verdict::Ok) };
    let checks = all(&facts(), &unreadable);
    assert_eq!(one(&checks, "program").grade, Grade::Note);
    assert!(checks.iter().all(|check| check.check != "libc"));
}

#[test]
fn c_libraries() {
    let facts = facts();
    let thunk = Ok("/t.so".into());
    for (linker, is_there, grade, told) in [
        ("/lib/ld-musl-x86_64.so.1", true, Grade::Ok, "musl (/lib/ld-musl-x86_64.so.1)"),
        ("/lib/ld-musl-x86_64.so.1", false, Grade::No, "no such dynamic linker"),
        ("/system/bin/linker64", true, Grade::Note, "neither glibc nor musl"),
    ] {
        let program = Program { linker: Some(linker.into()), ..a_program(Verdict::Ok) };
        let interception = Interception::of(&program, Intercept::Auto);
        let case = Case {
            facts: &facts,
            program: &program,
            interception,
            linker_is_there: Some(is_there),
            thunk: &thunk,
        };
        let check = libc(&case).unwrap();
        assert_eq!(check.grade, grade, "{check:?}");
        assert!(check.found.contains(told), "{check:?}");
    }
}

#[test]
fn no_thunk() {
    let program = a_program(Verdict::Ok);
    let thunk = Err("no thunk can be used: \"/tmp/t\" (it cannot be mapped executable)".to_owned());
    let interception = Interception::of(&program, Intercept::Auto);
    let facts = facts();
    let case = Case { facts: &facts, program: &program, interception, linker_is_there: None, thunk: &thunk };
    let checks = judge(&case);
    assert_eq!(one(&checks, "thunk").grade, Grade::No);
    assert!(one(&checks, "thunk").found.contains("executable"));
}

#[test]
fn kernels() {
    for (release, grade) in [
        ("5.4.0", Grade::Ok),
        ("5.10.0-8-arm64", Grade::Ok),
        ("7.0-rc1", Grade::Ok),
        ("5.3.18", Grade::No),
        ("4.19.0", Grade::No),
        ("", Grade::No),
    ] {
        assert_eq!(changed("kernel", |facts| facts.release = release.to_owned()).0, grade, "{release}");
    }
}

#[test]
fn calls_that_are_refused() {
    let refuse = |facts: &mut HostChecks| facts.calls[0].1 = Err(Errno::EPERM);
    let (grade, told) = changed("calls", refuse);
    assert_eq!(grade, Grade::No);
    assert!(told.contains("pidfd_open: ") && told.contains("a kernel with"), "{told}");
    let (_, told) = changed("calls", |facts| {
        refuse(facts);
        facts.seccomp = 2;
    });
    assert!(told.contains("seccomp filter is in force"), "{told}");
    let (grade, told) = changed("calls", |facts| (facts.seccomp, facts.no_new_privs) = (2, true));
    assert_eq!(grade, Grade::Ok);
    assert!(told.contains("by a seccomp filter; no_new_privs"), "{told}");
}

#[test]
fn who_may_look_into_processes() {
    for (scope, capabilities, grade) in [
        (None, 0, Grade::Ok),
        (Some(0), 0, Grade::Ok),
        (Some(2), 0, Grade::Note),
        (Some(2), 1 << CAP_SYS_PTRACE, Grade::Ok),
        (Some(3), 1 << CAP_SYS_PTRACE, Grade::Note),
    ] {
        let (found, told) =
            changed("ptrace", |facts| (facts.ptrace_scope, facts.capabilities) = (scope, capabilities));
        assert_eq!(found, grade, "{scope:?}: {told}");
    }
}

#[test]
fn bpf_is_not_needed() {
    for (bpf, disabled, expected) in [
        (Ok(()), Some(2), "let through"),
        (Err(Errno::EPERM), Some(2), "unprivileged_bpf_disabled is 2"),
        (Err(Errno::EPERM), Some(0), "bpf(2): "),
        (Err(Errno::ENOSYS), None, "bpf(2): "),
    ] {
        let (grade, told) =
            changed("bpf", |facts| (facts.bpf, facts.unprivileged_bpf_disabled) = (bpf, disabled));
        assert_eq!(grade, Grade::Ok);
        assert!(told.contains(expected) && told.contains("only --dispatch kernel"), "{told}");
    }
}

#[test]
fn limits() {
    assert_eq!(changed("descriptors", |facts| facts.descriptors = (256, 524_288)).0, Grade::Note);
    let (grade, told) = changed("descriptors", |facts| facts.descriptors = (100, 100));
    assert_eq!(grade, Grade::Note);
    assert!(told.contains("128 are needed for 4 workers"), "{told}");
    let (_, told) = changed("descriptors", |facts| facts.descriptors = (2048, u64::MAX));
    assert!(told.contains("2048, the supervisor any number"), "{told}");
    assert_eq!(changed("processes", |facts| facts.processes = Some(23)).0, Grade::Note);
    assert_eq!(changed("processes", |facts| facts.processes = Some(24)).0, Grade::Ok);
    assert!(changed("cpus", |facts| facts.cpus = (1, 8)).1.starts_with("1 of 8"));
    let (grade, told) = changed("memory", |facts| facts.memory.0 = Some(32 << 20));
    assert_eq!((grade, told.starts_with("32 of 8192 MiB, by the cgroup; ")), (Grade::Note, true), "{told}");
    assert_eq!(changed("memory", |facts| facts.memory = (None, None)).0, Grade::Ok);
    assert_eq!(changed("queue", |facts| facts.longest_queue = Some(128)).0, Grade::Note);
    assert_eq!(changed("dispatch", |facts| facts.tells_queue = Some(false)).0, Grade::Note);
    assert!(changed("steering", |_| ()).1.contains("with CAP_BPF"));
    assert!(changed("udp", |_| ()).1.contains("with CAP_BPF --share udp:ADDR"));
    let (_, told) = changed("udp", |facts| facts.flows = (true, "flow:program".to_owned()));
    assert!(!told.contains("CAP_BPF"), "{told}");
    let (_, told) = changed("steering", |facts| facts.steering = (true, "kernel:program".to_owned()));
    assert!(!told.contains("CAP_BPF"), "{told}");
    let (grade, told) = changed("control", |facts| facts.control = Err("\"/tmp/x\" (full)".to_owned()));
    assert_eq!((grade, told.contains("--control PATH")), (Grade::Note, true), "{told}");
}

#[test]
fn what_is_preloaded_anyway() {
    let (grade, told) =
        changed("preload", |facts| facts.preload = Some("/usr/lib/libjemalloc.so".to_owned()));
    assert_eq!(grade, Grade::Ok);
    assert!(told.contains("libjemalloc"), "{told}");
}

#[test]
fn programs_that_need_the_filter() {
    let case = |verdict: Verdict, change: fn(&mut HostChecks)| {
        let mut facts = facts();
        change(&mut facts);
        let checks = all(&facts, &a_program(verdict));
        let check = one(&checks, "intercept");
        let line = format!("{}; {}", check.found, check.advice.as_deref().unwrap_or_default());
        (check.grade, line, one(&checks, "program").grade, one(&checks, "dispatch").found.clone())
    };
    for verdict in [Verdict::Static, Verdict::Go] {
        let (grade, line, program, dispatch) = case(verdict.clone(), |_| {});
        assert!(grade == Grade::Note && line.contains("no_new_privs"), "{line}");
        assert!(program == Grade::Ok && dispatch.starts_with("kernel"), "{dispatch}");
        let (grade, line, ..) = case(verdict.clone(), |facts| facts.capabilities = 1 << CAP_SYS_ADMIN);
        assert!(grade == Grade::Ok && line.starts_with("seccomp: the program is "), "{line}");
        let (grade, line, ..) = case(verdict, |facts| facts.filter = Err("grant it".to_owned()));
        assert!(grade == Grade::No && line.ends_with("; grant it"), "{line}");
    }
    let (grade, line, _, dispatch) = case(Verdict::Ok, |facts| facts.filter = Err("grant it".to_owned()));
    assert!(grade == Grade::Ok && line.starts_with("preload: ") && dispatch.starts_with("credit"), "{line}");
}
