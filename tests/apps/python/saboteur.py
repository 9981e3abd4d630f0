"""The contract, a thread for each connection, by a program that harms the socket which its cluster shares: it finds it among its
descriptors and calls the kernel without the C library.

GET /shut: shuts it down. GET /shut-always: the same, and every one that it gets later, as soon as it has it. GET /clear?ms=N: clears its
O_NONBLOCK once, and for so long again and again. GET /has: whether it has one that listens. Each answers by `yes` or `no`.
"""
import ctypes
import os
import platform
import socket
import threading
import time

import contract

listener = contract.bound_socket()
libc = ctypes.CDLL(None, use_errno=True)
GETSOCKOPT, SHUTDOWN, FCNTL = {"x86_64": (55, 48, 72), "aarch64": (209, 210, 25)}[platform.machine()]


def option(fd, name):
    value, size = ctypes.c_int(), ctypes.c_int(4)
    done = libc.syscall(GETSOCKOPT, fd, socket.SOL_SOCKET, name, ctypes.byref(value), ctypes.byref(size))
    return value.value if done == 0 else None


def shared():
    """Its descriptors that are listening TCP sockets in truth; a lane is a unix socket."""
    numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    inet = (socket.AF_INET, socket.AF_INET6)
    return [fd for fd in numbers if option(fd, socket.SO_ACCEPTCONN) == 1 and option(fd, socket.SO_DOMAIN) in inet]


def shut():
    return bool([libc.syscall(SHUTDOWN, fd, socket.SHUT_RD) for fd in shared()])


def shut_always():
    while True:
        shut()
        time.sleep(0.005)


def clear(seconds):
    end = time.monotonic() + seconds
    found = shared()
    while True:
        for fd in found:
            flags = libc.syscall(FCNTL, fd, 3, 0)
            libc.syscall(FCNTL, fd, 4, flags & ~os.O_NONBLOCK)
        if time.monotonic() >= end:
            return bool(found)


def answer(request):
    if request.path == "/shut":
        found = shut()
    elif request.path == "/shut-always":
        found = shut()
        threading.Thread(target=shut_always, daemon=True).start()
    elif request.path == "/clear":
        found = clear(int(request.query["ms"]) / 1000)
    elif request.path == "/has":
        found = bool(shared())
    else:
        return contract.answer(request, [listener])
    return 200, b"yes\n" if found else b"no\n"


def serve(connection):
    with connection:
        try:
            for request in contract.requests(connection):
                time.sleep(contract.delay(request))
                connection.sendall(contract.response(*answer(request)))
        except ConnectionError:
            pass


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
