#!/usr/bin/env bash
# Linux: a group of MPTCP listeners takes no program for its choice, until a plain TCP socket of the same group brings it.
#
# Expected by a careful guess: SO_ATTACH_REUSEPORT_CBPF works on every listening socket with SO_REUSEPORT; or, as MPTCP
# refuses it, sockets of MPTCP cannot be steered at all.
# Seen (Linux 6.18): on an MPTCP listener the option fails with EOPNOTSUPP (Go makes its listeners by MPTCP since 1.24). But
# the group underneath is one of TCP: a TCP socket that listens at the same address for a moment may attach, the program
# then chooses among the MPTCP listeners, and it stays after that socket was closed.
# Needs python3 and net.mptcp.enabled=1. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import ctypes, errno, socket, struct, sys
MPTCP, ATTACH = 262, 51
def program(index):
    """Classic BPF of one instruction: always this place in the group."""
    code = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, index))
    return struct.pack("HP", 1, ctypes.addressof(code)), code
def listener(protocol, port=0):
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind(("127.0.0.1", port)); one.listen(64); one.setblocking(False)
    return one
try: first = listener(MPTCP)
except OSError as error: print("no MPTCP:", error); sys.exit(77)
port = first.getsockname()[1]
second = listener(MPTCP, port)
def attach(one, index):
    value, keep = program(index)
    try: one.setsockopt(socket.SOL_SOCKET, ATTACH, value); return "taken"
    except OSError as error: return errno.errorcode[error.errno]
def counts():
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    found = []
    for one in (first, second):
        accepted = 0
        while True:
            try: one.accept()[0].close(); accepted += 1
            except BlockingIOError: break
        found.append(accepted)
    for client in clients: client.close()
    return found
by_itself = attach(second, 1)
anchor = listener(0, port)
through_tcp = attach(anchor, 1)
anchor.close()
chosen = counts()
print("attached to an MPTCP listener:", by_itself, "- through a TCP socket of the group:", through_tcp)
print("of 40 connections, after that socket was closed, by listener:", chosen)
sys.exit(0 if by_itself in ("EOPNOTSUPP", "ENOTSUP") and through_tcp == "taken" and chosen == [0, 40] else 1)
P
