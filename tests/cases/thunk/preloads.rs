//! The thunk beside other libraries that stand in for functions of the C library: allocators, AddressSanitizer.

use harness::{Cluster, Options, PATIENCE, c_program, require};
use std::ffi::OsString;
use std::process::Command;

/// apps/c/sockets.c as a worker, with this preloaded too or this in its environment.
#[track_caller]
fn check(flags: &[&str], name: &str, value: &OsString) {
    let options = Options::workers(1).flags("--respawn 0").env(name, value).env("KEPT_PER_THREAD", "4096");
    let options = options.at_once();
    let mut cluster = Cluster::start_command(&[c_program("sockets", flags)], options);
    cluster.log().wait_for_count("worker 0 exited: ", 1, PATIENCE);
    cluster.wait_exit();
    assert!(cluster.addresses().len() == 1, "it was no worker:\n{}", cluster.log().text());
    let told = cluster.stdout().text();
    assert!(told.contains("sockets: 0 of "), "{told}");
}

/// A shared library that may be installed.
fn library(name: &str) -> Option<OsString> {
    let known = Command::new("ldconfig").arg("-p").output();
    let text = known.map_or_else(|_| String::new(), |output| String::from_utf8_lossy(&output.stdout).into());
    let line = text.lines().find(|line| line.trim_start().starts_with(name));
    let path = line.and_then(|line| line.split(" => ").nth(1));
    if path.is_none() {
        eprintln!("skipped: {name} is not installed");
    }
    path.map(OsString::from)
}

#[test]
fn jemalloc() {
    if !require("cc") {
        return;
    }
    if let Some(path) = library("libjemalloc.so.2") {
        check(&[], "LD_PRELOAD", &path);
    }
}

/// Its runtime wants to be first of all libraries, which the thunk is, and asks only that it be told to accept that.
#[test]
fn address_sanitizer() {
    if !require("cc") {
        return;
    }
    let asked = Command::new("cc").arg("-print-file-name=libasan.so").output().expect("it is installed");
    if !String::from_utf8_lossy(&asked.stdout).contains('/') {
        eprintln!("skipped: AddressSanitizer is not installed");
        return;
    }
    check(&["-fsanitize=address"], "ASAN_OPTIONS", &"verify_asan_link_order=0".into());
}
