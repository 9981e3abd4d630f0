"""Speaks to the supervisor as a thunk of version 1 does: by hand, byte for byte. It answers connections that arrive in
its lane. The thunk that is preloaded answers reads from a lane itself, so this starts anew without it."""
import array
import os
import socket
import struct
import sys

RECORD = 122

if os.environ.pop("LD_PRELOAD", None):
    os.execv(sys.executable, [sys.executable, *sys.argv])


def ask(listener):
    """Sends Listen as version 1 had it, without a place, and returns the worker's end of the lane."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect("\0" + os.environ["CLUSTERMON_SOCKET"])
    token = bytes.fromhex(os.environ["CLUSTERMON_TOKEN"])
    frame = b"clmR" + struct.pack("<HH", 1, 1) + token + struct.pack("<Iii", os.getpid(), listener.fileno(), 16)
    link.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
    reply, fds, _, _ = socket.recv_fds(link, 2048, 1)
    assert reply[:4] == b"clmR" and struct.unpack("<H", reply[6:8])[0] == 2, reply
    return socket.socket(fileno=fds[0])


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
listener.bind(("127.0.0.1", int(os.environ["PORT"])))
lane = ask(listener)
listener.close()
while True:
    record, fds, _, _ = socket.recv_fds(lane, RECORD, 1)
    if record and record[0] == 1:
        with socket.socket(fileno=fds[0]) as connection:
            connection.recv(65536)
            body = f"pid={os.getpid()} id={os.environ['PROCESS_LOGICAL_ID']}\n".encode()
            head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
            connection.sendall(head + body)
