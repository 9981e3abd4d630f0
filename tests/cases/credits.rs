//! What accept() answers on credit, record by record: a program stands in for the supervisor, so that each comes when it is to.

use harness::{Native, Options, app_dir, interpreter, require, thunk};

fn check(words: &[&str]) {
    let program = app_dir().join("python/credits.py").into_os_string();
    let words = words.iter().map(Into::into);
    let command = [interpreter("python3"), program, thunk().into_os_string()].into_iter().chain(words);
    let told = Native::run_for_stdout(command.collect(), &Options::default());
    assert_eq!(told, "passed\n");
}

#[test]
fn are_used_as_they_are_given() {
    if require("python3") {
        check(&[]);
    }
}

/// Between its look for an open credit and its mark a thread is held up, and the credit is revoked meanwhile.
#[test]
fn that_are_revoked_are_not_used() {
    if require("python3") && require("strace") {
        check(&["slowly"]);
    }
}
