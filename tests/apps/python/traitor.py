"""The contract, a thread for each connection, and: GET /attack?mode=M&arg=A runs attack.py as a child and answers what that
prints; GET /stuff?count=N sends so much garbage up its own lane; GET /notify?name=N speaks for the worker whose socket it is."""
import ctypes
import os
import platform
import socket
import struct
import subprocess
import sys
import threading

import contract

listener = contract.bound_socket()
common = contract.answer


def attack(mode, argument):
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "attack.py")
    done = subprocess.run([sys.executable, script, mode, argument], stdin=subprocess.DEVNULL, capture_output=True)
    return (done.stdout or done.stderr)[-2000:]


def send_by_system_call(number, data, descriptors):
    """sendmsg without the C library: the preloaded thunk answers the library's as the kernel does for a listener."""
    text = ctypes.create_string_buffer(data, len(data))
    vector = ctypes.create_string_buffer(struct.pack("PN", ctypes.addressof(text), len(data)))
    head = struct.pack("Nii", socket.CMSG_LEN(4 * len(descriptors)), socket.SOL_SOCKET, socket.SCM_RIGHTS)
    rights = head + struct.pack(f"{len(descriptors)}i", *descriptors)
    control = ctypes.create_string_buffer(rights, socket.CMSG_SPACE(4 * len(descriptors)))
    length = len(control) if descriptors else 0
    message = struct.pack("PIxxxxPNPNi", 0, 0, ctypes.addressof(vector), 1, ctypes.addressof(control), length, 0)
    message = ctypes.create_string_buffer(message, 56)
    call = {"x86_64": 46, "aarch64": 211}[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(call, number, ctypes.byref(message), socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def stuff(count):
    """What the listener's descriptor is in truth, spoken to as no thunk does."""
    rights = [1, 2]
    for number in range(count):
        while True:
            try:
                send_by_system_call(listener.fileno(), b"garbage" * (number % 50 + 1), rights if number % 3 == 0 else [])
                break
            except BlockingIOError:
                pass
            except PermissionError:
                # Newer kernels keep descriptors from a socket that wants none.
                rights = []
    return f"sent={count}\n".encode()


def answer(request, sockets):
    if request.path == "/attack":
        return 200, attack(request.query["mode"], request.query["arg"])
    if request.path == "/notify":
        link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        link.sendto(b"STATUS=spoofed", "\0" + request.query["name"])
        return 200, b"said\n"
    if request.path == "/stuff":
        return 200, stuff(int(request.query["count"]))
    return common(request, sockets)


def serve(connection):
    try:
        for request in contract.requests(connection):
            connection.sendall(contract.response(*answer(request, [listener])))
    except ConnectionError:
        pass
    finally:
        connection.close()


while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
