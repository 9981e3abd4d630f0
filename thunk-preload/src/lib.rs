//! The thunk: a freestanding library, preloaded into every worker, that turns the program's `listen()` into joining a
//! cluster and its `accept()` into receiving a connection from the supervisor. It never takes a program down.
//!
//! # Laws
//! 1. Nothing is linked: no C library, no versioned symbol, so that one file loads in glibc and musl processes.
//! 2. No allocation, no lock, no thread-local with a destructor, no look-up inside a hook, no panic, no exit. Whatever
//!    goes wrong, the program gets the real call.
//! 3. No table of descriptors: what an fd is stands in the kernel, in the name of a lane's worker end. What is kept of a lane
//!    is found by the kernel's number for its socket.
//! 4. One long-lived fd for each shared listening socket, and one epoll set to watch them by, out of the program's way, and made
//!    again if the program closes them; otherwise one short connection to the supervisor per request.
//! 5. `errno` is exactly the real call's, or the one that the call stands for. EINTR is returned untouched.
//! 6. Calls that block on the program's behalf go through the C library, so that they stay cancellation points.

#![no_std]
#![allow(
    clippy::missing_safety_doc,
    reason = "the hooks have the contract of the C functions they stand for"
)]

mod accept;
mod credit;
mod hooks;
mod kernel;
mod lanes;
mod log;
mod pulse;
mod real;
mod receive;
mod sockets;
mod supervisor;

// The forced unwinding of pthread_cancel asks every frame's personality. Ours has nothing to clean up: go on (8 is
// _URC_CONTINUE_UNWIND). Without the symbol a debug build would not start in a program that has no C++ runtime.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    ".type rust_eh_personality, @function",
    "rust_eh_personality:",
    "mov eax, 8",
    "ret",
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    ".type rust_eh_personality, %function",
    "rust_eh_personality:",
    "mov w0, #8",
    "ret",
);

/// Cannot be reached: nothing here panics. It would end the thread rather than run on in an unknown state.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        kernel::sys::kill(kernel::sys::getpid(), kernel::abi::SIGABRT);
    }
}

/// Runs before `main`, dozens of times in some shells' start-up: it only looks up pointers.
extern "C" fn construct() {
    let errno = real::errno();
    real::resolve();
    real::set_errno(errno);
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = construct;
