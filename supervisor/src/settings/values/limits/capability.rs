//! A capability of Linux, by the name that capabilities(7) has for it, in lower case and without `CAP_`. Whether anybody has it is nothing
//! to it.

use std::fmt;
use std::str::FromStr;

/// In the order of their numbers, which begin at 0.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// One of the rights of root that a process can have alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capability(u8);

impl Capability {
    /// Its number, as the kernel has it.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for Capability {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("cap_").unwrap_or(&lower);
        let number = NAMES.iter().position(|known| *known == name).and_then(|at| u8::try_from(at).ok());
        number
            .map(Self)
            .ok_or("is no capability; their names are in capabilities(7), such as net_bind_service")
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAMES.get(usize::from(self.0)).unwrap_or(&""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in
            [("chown", 0), ("CAP_NET_BIND_SERVICE", 10), ("sys_ptrace", 19), ("checkpoint_restore", 40)]
        {
            let capability: Capability = text.parse().unwrap();
            assert_eq!(capability.number(), number);
            assert_eq!(capability.to_string().parse(), Ok(capability));
        }
        assert!("net_bind".parse::<Capability>().is_err());
    }
}
