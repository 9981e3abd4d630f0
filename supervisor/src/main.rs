//! The `clustermon` program. Everything it does is in the library.

use std::process::ExitCode;

// SAFETY: the C library calls what is in this section before `main`, in the only thread, with arguments that a function
// without any leaves alone; this one makes a system call and stores a byte, for which nothing need be set up.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = clustermon::cli::before_main;

fn main() -> ExitCode {
    clustermon::cli::main()
}
