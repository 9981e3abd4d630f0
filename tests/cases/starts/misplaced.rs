//! Options of ours that stand after COMMAND: they are the program's, and that is said unless somebody meant it so.

use harness::{TempDir, cli_command};
use std::fs;

/// Runs `clustermon WORDS` with a program that ends at once; what it says on stderr.
#[track_caller]
fn said(words: &str) -> String {
    let folder = TempDir::new();
    fs::write(folder.path().join("say.sh"), "echo \"given $*\"; exit 0\n").expect("the folder is ours");
    let output = cli_command(folder.path(), words).current_dir(folder.path()).output().expect("it starts");
    assert!(String::from_utf8_lossy(&output.stdout).contains("given"), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_line_shows_where_they_belong() {
    let said = said("run --respawn 0 -n 1 sh say.sh -n 5 --port 80");
    let line = "warning: `-n 5` stands after the command and is given to it; if clustermon was meant: \
        clustermon run --respawn 0 -n 1 -n 5 sh say.sh --port 80; if not, write `--` before sh";
    assert_eq!(said.lines().filter(|told| told.contains(line)).count(), 1, "{said}");
    assert_eq!(said.matches("1 started").count() + said.matches("worker 0 started").count(), 1, "{said}");
}

#[test]
fn nothing_is_said_of_what_is_meant_so() {
    for words in
        ["run --respawn 0 -n 1 -- sh say.sh -n 5", "run --respawn 0 -n 1 sh say.sh --verbose -- -n 5"]
    {
        let said = said(words);
        assert!(!said.contains("warning"), "{words}: {said}");
    }
}

#[test]
fn it_is_said_once_where_the_cluster_is_in_the_background() {
    let folder = TempDir::new();
    fs::write(folder.path().join("fail.sh"), "exit 3\n").expect("the folder is ours");
    let words = "run --detach --respawn 0 -n 1 sh fail.sh --name web";
    let output = cli_command(folder.path(), words).current_dir(folder.path()).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("stands after the command").count(), 1, "{said}");
    assert!(said.starts_with("clustermon: warning: `--name web`"), "{said}");
}
