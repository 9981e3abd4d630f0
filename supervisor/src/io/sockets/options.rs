//! Which options of a listening socket a worker may have the supervisor read or set. The supervisor asks in its own name
//! and from its own memory, and may be allowed more than the worker is. It touches no socket.

/// Of the levels IP and IPv6 these belong to the packet filter, and not to the socket.
const FILTER: std::ops::Range<i32> = 64..70;
const BRIDGE: i32 = 128;
/// But these, of IPv6, lie amid them: IPV6_RECVTCLASS and IPV6_TCLASS.
const TRAFFIC_CLASS: std::ops::Range<i32> = 66..68;
/// Not in every libc: opens a descriptor in the process that asks.
const SO_PEERPIDFD: i32 = 77;

/// May a worker read it?
pub(crate) fn may_get(level: i32, name: i32) -> bool {
    is_of_sockets(level, name) && !(level == libc::SOL_SOCKET && name == SO_PEERPIDFD)
}

/// May a worker of this user set it?
pub(crate) fn may_set(level: i32, name: i32, uid: u32) -> bool {
    let trusted = uid == 0 || uid == nix::unistd::geteuid().as_raw();
    is_of_sockets(level, name) && !is_reference(level, name) && (trusted || !is_privileged(level, name))
}

fn is_of_sockets(level: i32, name: i32) -> bool {
    match level {
        libc::SOL_SOCKET | libc::IPPROTO_TCP => true,
        libc::IPPROTO_IP => name < FILTER.start,
        libc::IPPROTO_IPV6 => (TRAFFIC_CLASS.contains(&name) || !FILTER.contains(&name)) && name < BRIDGE,
        _ => false,
    }
}

/// The value is a pointer or a descriptor, which means something else here, or nothing.
fn is_reference(level: i32, name: i32) -> bool {
    let by_socket = [
        libc::SO_ATTACH_FILTER,
        libc::SO_ATTACH_BPF,
        libc::SO_ATTACH_REUSEPORT_CBPF,
        libc::SO_ATTACH_REUSEPORT_EBPF,
    ];
    level == libc::SOL_SOCKET && by_socket.contains(&name)
}

/// The kernel asks for a capability, or has it count.
fn is_privileged(level: i32, name: i32) -> bool {
    let names: &[i32] = match level {
        libc::SOL_SOCKET => &[
            libc::SO_DEBUG,
            libc::SO_MARK,
            libc::SO_RCVBUFFORCE,
            libc::SO_SNDBUFFORCE,
            libc::SO_BINDTODEVICE,
            libc::SO_BUSY_POLL,
        ],
        libc::IPPROTO_IP => &[libc::IP_TRANSPARENT],
        libc::IPPROTO_IPV6 => &[libc::IPV6_TRANSPARENT],
        libc::IPPROTO_TCP => &[libc::TCP_REPAIR],
        _ => &[],
    };
    names.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_set_is_allowed_and_what_reaches_further_is_not() {
        let stranger = nix::unistd::geteuid().as_raw() + 1;
        for (level, name) in [
            (libc::SOL_SOCKET, libc::SO_REUSEADDR),
            (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
            (libc::IPPROTO_TCP, libc::TCP_FASTOPEN),
            (libc::IPPROTO_IP, libc::IP_TOS),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
        ] {
            assert!(may_set(level, name, stranger) && may_get(level, name), "{level} {name}");
        }
        assert!(!may_set(libc::SOL_SOCKET, libc::SO_MARK, stranger));
        assert!(may_set(libc::SOL_SOCKET, libc::SO_MARK, 0));
        assert!(!may_set(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, 0));
        assert!(!may_set(libc::IPPROTO_IP, 64, 0), "the packet filter's tables");
        assert!(!may_set(libc::IPPROTO_IPV6, 64, 0), "the packet filter's tables");
        assert!(!may_set(libc::SOL_NETLINK, 1, 0));
        assert!(!may_get(libc::SOL_SOCKET, SO_PEERPIDFD));
    }
}
