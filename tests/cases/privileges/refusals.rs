//! What cannot be had is told before anything is started: one line that names the option, with the exit code of bad input. What changes nothing is
//! allowed to everybody.

use super::{Place, is_root};
use harness::{TempDir, clustermon, require};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `clustermon run WORDS -- touch WITNESS` behind these words.
fn run(before: &[&str], supervisor: &Path, words: &str, witness: &Path) -> Output {
    let mut command = Command::new("env");
    command.args(before).arg(supervisor).arg("run").args([
        "-n",
        "1",
        "--control",
        "none",
        "--exit-codes-ok",
        "0",
    ]);
    command.args(words.split(' ')).arg("--").arg("touch").arg(witness).stdin(Stdio::null());
    command.output().expect("it starts")
}

#[track_caller]
fn refused(output: &Output, words: &str, expected: &str, witness: &Path) {
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}: {told}");
    assert!(told.lines().count() == 1 && told.contains(expected), "{words}: {told}");
    assert!(!witness.exists(), "{words}: a process was started");
}

#[test]
fn names_and_numbers_that_are_none() {
    let folder = TempDir::new();
    let witness = folder.path().join("started");
    for (words, expected) in [
        ("--user no-such-user", "--user no-such-user: there is no such user"),
        ("--user 3999999999", "give --group too"),
        ("--group no-such-group", "--group no-such-group: there is no such group"),
        ("--groups 0,no-such-group", "--groups no-such-group: there is no such group"),
        ("--groups 0,none", "--groups: give a name or a number"),
        ("--chroot /nowhere", "--chroot \"/nowhere\": No such file"),
        ("--chroot /etc/passwd", "--chroot \"/etc/passwd\": "),
        ("--limit files=3", "nofile"),
        ("--limit nofile=9:3", "the first number"),
        ("--nice 20", "--nice 20: give a number from -20"),
        ("--cpu-affinity 8000", "--cpu-affinity 8000: "),
        ("--cpu-affinity some", "write spread, or a list"),
        ("--keep-capability everything", "capabilities(7)"),
        ("--memory-max lots", "500M"),
        ("--cpu-max 2", "150%"),
    ] {
        refused(&run(&[], &clustermon(), words, &witness), words, expected, &witness);
    }
}

#[test]
fn what_only_root_may_is_refused_to_others_and_what_changes_nothing_is_not() {
    let Some(place) = Place::new(&[]).filter(|_| require("setpriv")) else { return };
    let open = TempDir::new();
    std::os::unix::fs::chown(open.path(), Some(65534), None).expect("root may");
    let witness = open.path().join("started");
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    for (words, expected) in [
        ("--user 0", "--user 0: the groups of this user: Operation not permitted"),
        ("--group 0", "--group 0: Operation not permitted"),
        ("--groups 0", "--groups 0: Operation not permitted"),
        ("--chroot /", "only root may, or who has CAP_SYS_CHROOT"),
        ("--nice -1", "--nice -1: Permission denied"),
        ("--keep-capability net_bind_service", "--keep-capability net_bind_service: Operation not permitted"),
        ("--keep-capability kill --no-new-privs", "this process itself does not have all of these"),
        ("--limit nofile=10:99999999999", "--limit nofile=10:99999999999: Operation not permitted"),
    ] {
        refused(&run(&nobody, &place.supervisor(), words, &witness), words, expected, &witness);
    }
    for words in [
        "--user 65534 --group 65534",
        "--groups none",
        "--limit core=0 --nice 19 --no-new-privs --cpu-affinity spread",
    ] {
        let output = run(&nobody, &place.supervisor(), words, &witness);
        assert!(
            output.status.success() && witness.exists(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::remove_file(&witness).expect("it is there");
    }
}

/// Where nothing is delegated, or the controllers are those of version 1.
#[test]
fn a_control_group_that_cannot_be_had() {
    let folder = TempDir::new();
    let witness = folder.path().join("started");
    let (of_all, own) = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .find_map(|mount| {
            let offered = std::fs::read_to_string(format!("{mount}/cgroup.controllers")).ok()?;
            Some((offered, std::fs::read_to_string("/proc/self/cgroup").ok()?))
        })
        .unwrap_or_default();
    if own.contains("0::/\n") && of_all.contains("memory") {
        eprintln!("skipped: control groups of version 2 can be had here");
        return;
    }
    for words in ["--memory-max 500M", "--cpu-max 50% --memory-max 500M"] {
        let output = run(&[], &clustermon(), words, &witness);
        refused(&output, words, "--memory-max: ", &witness);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("version 2") || told.contains("Delegate=yes"), "{told}");
    }
}

#[test]
fn what_the_user_could_not_execute_or_enter() {
    let Some(place) = Place::new(&[]) else { return };
    let shut = TempDir::new();
    let inside = shut.path().join("program");
    std::fs::copy(&place.program, &inside).expect("the temporary directory is writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(shut.path(), mode).expect("it is ours");
    let ask = |words: &[&str], command: &Path| {
        let mut run = Command::new(place.supervisor());
        run.args(["run", "-n", "1", "--user", "65534", "--group", "65534"])
            .args(words)
            .arg("--")
            .arg(command);
        run.stdin(Stdio::null()).output().expect("it starts")
    };
    let folder = shut.path().display().to_string();
    for (output, expected) in [
        (ask(&[], &inside), format!("--user 65534: {inside:?} may not be executed: Permission denied")),
        (
            ask(&["--cwd", &folder], &place.program),
            format!("--user 65534: --cwd {folder:?} cannot be entered"),
        ),
    ] {
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.lines().count() == 1 && told.contains(&expected), "{told}");
    }
}

#[test]
fn who_could_not_rule_workers_starts_none() {
    if !is_root() || !require("setpriv") {
        return;
    }
    let folder = TempDir::new();
    let witness = folder.path().join("started");
    let words = "--user 65534 --group 65534";
    let weak = ["setpriv", "--bounding-set=-kill", "--inh-caps=-kill", "--"];
    refused(&run(&weak, &clustermon(), words, &witness), words, "has no CAP_KILL", &witness);
    let blind = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace", "--"];
    let words = "--user 65534 --group 65534 --intercept seccomp";
    refused(&run(&blind, &clustermon(), words, &witness), words, "SYS_PTRACE", &witness);
}
