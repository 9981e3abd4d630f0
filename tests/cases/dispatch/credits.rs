//! What accept() answers on credit, record by record: a program stands in for the supervisor, so that each comes when it is to.

use harness::{Native, Options, app_dir, interpreter, require, thunk};

fn check(program: &str, words: &[&str]) {
    let program = app_dir().join(program).into_os_string();
    let words = words.iter().map(Into::into);
    let command = [interpreter("python3"), program, thunk().into_os_string()].into_iter().chain(words);
    let told = Native::run_for_stdout(command.collect(), &Options::default());
    assert_eq!(told, "passed\n");
}

#[test]
fn are_used_as_they_are_given() {
    if require("python3") {
        check("python/credits.py", &[]);
    }
}

/// A worker's own wait watches the listening socket while its credit is open.
#[test]
fn that_are_open_wake_by_the_kernel() {
    if require("python3") {
        check("python/direct.py", &[]);
    }
}

/// Between its look for an open credit and the end of its mark a thread is held up, and the credit is revoked meanwhile: 300 times, or as
/// often as `CLUSTERMON_TEST_CORDONS` says.
#[test]
fn that_are_revoked_are_not_used() {
    if require("python3") && require("strace") {
        check("python/credits.py", &["slowly"]);
    }
}
