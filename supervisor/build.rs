//! Compiles the thunk to a file that the program carries inside. It calls rustc and no other build tool: neither
//! of the two crates has a dependency outside this repository.
#![expect(
    clippy::disallowed_methods,
    reason = "a build script starts the compiler; nothing of it is in the program"
)]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

fn main() -> ExitCode {
    match compile() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            println!("cargo::error={fault}");
            ExitCode::FAILURE
        }
    }
}

fn compile() -> Result<(), String> {
    let root = path("CARGO_MANIFEST_DIR")?.join("..");
    let out = path("OUT_DIR")?;
    let (protocol, thunk) = (root.join("protocol/src"), root.join("thunk-preload/src"));
    // The thunk's own build script reads the same list.
    let link_args = root.join("thunk-preload/link-args.txt");
    for input in [&protocol, &thunk, &link_args] {
        println!("cargo::rerun-if-changed={}", input.display());
    }

    let rlib = out.join("libclustermon_protocol.rlib");
    let mut rustc = compiler("clustermon_protocol", "rlib")?;
    run(rustc.arg(protocol.join("lib.rs")).arg("-o").arg(&rlib))?;

    let mut rustc = compiler("clustermon_thunk", "cdylib")?;
    let mut dependency = std::ffi::OsString::from("clustermon_protocol=");
    dependency.push(&rlib);
    rustc.arg(thunk.join("lib.rs")).arg("--extern").arg(dependency).args(["-C", "strip=symbols"]);
    let list = fs::read_to_string(&link_args).map_err(|fault| format!("{}: {fault}", link_args.display()))?;
    for argument in list.lines().map(str::trim).filter(|line| !line.is_empty()) {
        rustc.arg("-C").arg(format!("link-arg={argument}"));
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("linker=");
        option.push(linker);
        rustc.arg("-C").arg(option);
    }
    run(rustc.arg("-o").arg(out.join("libclustermon_thunk.so")))
}

/// The compiler as it is called for both crates: for the target, small, without unwinding.
fn compiler(name: &str, kind: &str) -> Result<Command, String> {
    let mut rustc = Command::new(path("RUSTC")?);
    rustc
        .args(["--crate-name", name, "--crate-type", kind, "--edition", "2024", "--target"])
        .arg(path("TARGET")?);
    rustc.args(["-C", "panic=abort", "-C", "opt-level=3", "-C", "codegen-units=1", "-C", "debuginfo=0"]);
    if env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|libc| libc == "musl") {
        // Where programs are static by default no shared object is made unless told so.
        rustc.args(["-C", "target-feature=-crt-static"]);
    }
    Ok(rustc)
}

fn run(command: &mut Command) -> Result<(), String> {
    let status =
        command.status().map_err(|fault| format!("cannot start {:?}: {fault}", command.get_program()))?;
    if status.success() { Ok(()) } else { Err(format!("the thunk does not compile: {status}")) }
}

fn path(variable: &str) -> Result<PathBuf, String> {
    let value =
        env::var_os(variable).ok_or_else(|| format!("{variable} is not set: this runs under cargo"))?;
    Ok(Path::new(OsStr::new(&value)).to_owned())
}
