"""The contract, one connection at a time, and listeners besides that come and go. Requests besides those of the contract:

GET /open-and-close?n=N listens on N ports, one after the other, closes each, and answers how many there were.
GET /move listens on two ports more: one listener it moves to another number, one to a child, which keeps it.

FDS is how many sockets it has open for nothing. With MAIN_THREAD=ends its main thread ends before the others.
"""
import ctypes
import os
import platform
import resource
import signal
import socket
import threading

import blocking
import contract

kept = []


def listen():
    """On a port of its own choosing, which the system says is free."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = probe.getsockname()
        listener = socket.socket()
        try:
            listener.bind(address)
            listener.listen(8)
            return listener
        except OSError:
            listener.close()


def move():
    first, second = listen(), listen()
    kept.append(os.dup(first.fileno()))
    first.close()
    told, tell = os.pipe()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Ends with its parent, which is the only one to have the other end.
        os.close(tell)
        os.read(told, 1)
        os._exit(0)
    os.close(told)
    kept.append(tell)
    second.close()


common = contract.answer


def answer(request, sockets):
    if request.path == "/open-and-close":
        count = int(request.query["n"])
        for _ in range(count):
            listen().close()
        return 200, f"{count}\n".encode()
    if request.path == "/move":
        move()
        return 200, b"moved\n"
    return common(request, sockets)


contract.answer = answer
if fds := int(os.environ.get("FDS", "0")):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = hard - 100 if hard != resource.RLIM_INFINITY else fds
    kept.extend(socket.socketpair() for _ in range(min(fds, room) // 2))
if os.environ.get("MAIN_THREAD") == "ends":
    threading.Thread(target=blocking.main, args=[blocking.accept]).start()
    ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
blocking.main(blocking.accept)
