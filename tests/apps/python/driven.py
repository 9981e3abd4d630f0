"""Does what it is told on stdin, one Python expression or statement a line, and answers each on stdout."""
import ast
import ctypes
import errno
import fcntl
import os
import resource
import select
import socket
import struct
import sys
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
connections = []


def name_of(error):
    return errno.errorcode[error]


def accept(listener):
    """'ok', and the connection is kept, or the name of the error."""
    try:
        connections.append(listener.accept()[0])
    except OSError as error:
        return name_of(error.errno)
    return "ok"


def accept_in_time(listener):
    """The same, once there is something."""
    while (answer := accept(listener)) == "EAGAIN":
        select.select([listener], [], [], 30)
    return answer


def listen(port, blocks=False):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(16)
    listener.setblocking(blocks)
    return listener


def hidden():
    """Descriptors out of a program's way."""
    return sorted(int(number) for number in os.listdir("/proc/self/fd") if int(number) >= 900)


def in_child(act):
    """What `act` comes to in a forked child."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr(act()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    answer = os.read(read, 4096)
    os.close(read)
    os.close(write)
    return ast.literal_eval(answer.decode())


def fill():
    """Leaves no descriptor free; returns those that it took."""
    taken = []
    while True:
        try:
            taken.append(os.dup(0))
        except OSError:
            return taken


for line in sys.stdin:
    code = ast.literal_eval(line)
    try:
        print(repr(eval(code)), flush=True)
    except SyntaxError:
        exec(code)
        print(None, flush=True)
