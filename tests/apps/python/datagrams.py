"""Answers datagrams on UDP_HOST:UDP_PORT, each with a line: pid, logical id, and how many this process has had from the same peer.

What it does besides is asked for by the environment: SOCKETS=2 binds two, SO_REUSEPORT before that if REUSEPORT is set, SO_BROADCAST if
BROADCAST is; RCVBUF sets SO_RCVBUF before bind. Of a socket that cannot be bound the line `in use` goes to stdout, of one that can `bound` and its SO_REUSEPORT.
Requests with an effect: `connect` (to the peer), `close` (and go on without a socket), `slow` (an answer takes 200 ms).
"""
import errno
import os
import select
import socket
import time

seen = {}


def make():
    host = os.environ.get("UDP_HOST", "127.0.0.1")
    one = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    if os.environ.get("REUSEPORT"):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if os.environ.get("BROADCAST"):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    if os.environ.get("RCVBUF"):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, int(os.environ["RCVBUF"]))
    try:
        one.bind((host, int(os.environ["UDP_PORT"])))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        os.write(1, b"in use\n")
        return None
    # In one piece: others write to the same pipe.
    os.write(1, f"bound {one.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)}\n".encode())
    one.setblocking(False)
    return one


def answer(one, request, peer):
    seen[peer] = seen.get(peer, 0) + 1
    if request == b"slow":
        time.sleep(0.2)
    line = f"{os.getpid()} {os.environ.get('PROCESS_LOGICAL_ID', '-')} {seen[peer]}".encode()
    if request == b"connect":
        one.connect(peer)
        one.send(line)
    else:
        one.sendto(line, peer)


sockets = [one for one in (make() for _ in range(int(os.environ.get("SOCKETS", "1")))) if one]
while True:
    for one in select.select(sockets, [], [])[0]:
        try:
            request, peer = one.recvfrom(2048)
        except BlockingIOError:
            continue
        except ConnectionRefusedError:
            # A peer that has gone.
            continue
        if request == b"close":
            sockets.remove(one)
            one.close()
            continue
        answer(one, request, peer)
