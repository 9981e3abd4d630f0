//! Files of variables: what a worker finds of them, what stands before them, and what is wrong with them.

use harness::{Cluster, Deployment, Options, TempDir, app, c_program, cli_command, interpreter, require};
use std::ffi::OsString;
use std::fs;
use std::process::Command;

/// Prints the variables that begin with `T_`.
const PRINT: &str = "for (const name of Object.keys(process.env).sort())
    if (name.startsWith('T_')) console.log(name + '=' + JSON.stringify(process.env[name]));";

/// What these have in common with Node and others.
const FILE: &str = r#"# a comment
T_PORT=3000 # http
T_WORDS=two words
T_LINES="one\ntwo"
T_LITERAL='one\ntwo'
T_DOLLAR=pa$word
export T_EXPORTED = yes
T_EMPTY=
T_LONG="-----BEGIN-----
abc=#
-----END-----"
"#;

#[test]
fn a_worker_finds_what_node_would() {
    if !require("node") {
        return;
    }
    let folder = TempDir::new();
    let file = folder.path().join("variables.env");
    fs::write(&file, FILE).expect("the folder is ours");
    let command = [interpreter("node"), OsString::from("-e"), OsString::from(PRINT)];
    let options = Options::workers(1).flags(&format!("--respawn 0 --env-file {}", file.display())).at_once();
    let mut cluster = Cluster::start_command(&command, options);
    cluster.wait_exit();
    let alone = Command::new(interpreter("node"))
        .arg(format!("--env-file={}", file.display()))
        .args(["-e", PRINT])
        .output()
        .expect("node starts");
    let alone = String::from_utf8_lossy(&alone.stdout).into_owned();
    assert_eq!(alone.lines().count(), 8, "{alone}");
    assert_eq!(cluster.stdout().text(), alone, "{}", cluster.log().text());
}

#[test]
fn what_is_set_already_stays() {
    let folder = TempDir::new();
    let file = folder.path().join("variables.env");
    fs::write(&file, "T_A=of the file\nT_B=of the file\n").expect("the folder is ours");
    let flags = format!("--respawn 0 --env-file {}", file.display());
    let options = Options::workers(1).flags(&flags).env("T_A", "of the shell").at_once();
    let mut cluster = Cluster::start_command(&["sh", "-c", "echo $T_A, $T_B"], options);
    cluster.wait_exit();
    assert_eq!(cluster.stdout().text(), "of the shell, of the file\n");
}

#[test]
fn a_fault_is_told_with_its_line() {
    let folder = TempDir::new();
    fs::write(folder.path().join("bad.env"), "A=1\n\nB: 2\n").expect("the folder is ours");
    let run = |words: &str| {
        let output =
            cli_command(folder.path(), words).current_dir(folder.path()).output().expect("it starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for start in ["run", "run --detach"] {
        let (code, said) = run(&format!("{start} -n 1 --env-file bad.env -- true"));
        assert_eq!(code, Some(2), "{said}");
        let line = "--env-file \"bad.env\", line 3: write NAME=value, a comment after #, or nothing";
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn a_reload_reads_it_anew_and_says_what_is_wrong() {
    if app("c-epoll").is_none() {
        return;
    }
    let program = c_program("epoll", &[]).display().to_string();
    let deployment = Deployment::new("1", &format!("echo \"version $T_VERSION\"; exec {program}\n"));
    let file = deployment.path().join("variables.env");
    fs::write(&file, "T_VERSION=one\n").expect("the folder is ours");
    let flags = format!("--min-healthy-time 50ms --env-file {}", file.display());
    let cluster = deployment.start(Options::workers(1).flags(&flags));
    assert_eq!(cluster.stdout().count("version one"), 1, "{}", cluster.stdout().text());
    fs::write(&file, "T_VERSION='two\n").expect("the folder is ours");
    let said = cluster.cli("reload --wait");
    assert_eq!(said.code, Some(5), "{said:?}");
    assert!(said.err.contains("line 1: the quote that begins the value is never closed"), "{said:?}");
    fs::write(&file, "T_VERSION='two'\n").expect("the folder is ours");
    cluster.order("reload --wait");
    assert_eq!(cluster.stdout().count("version two"), 1, "{}", cluster.stdout().text());
    cluster.stop();
}
