//! Interception in the kernel, for programs that the library cannot enter: a seccomp filter that has their `bind` and `listen`
//! wait for this process. It knows sockets and system calls, no workers, and decides nothing about them.

pub(crate) mod address;
pub(crate) mod filter;
pub(crate) mod notifier;
pub(crate) mod target;

#[cfg(test)]
mod tests;
