"""What somebody who is no process of a cluster may try: outsider.py MODE NAME [ARG], NAME being an abstract socket's without
its NUL. Says in a line what it did; `linger` and `squat` then wait for the end of standard input."""
import array
import errno
import select
import socket
import struct
import sys
import threading
import time

LONG = 600


def lingering():
    """A connection whose last close takes LONG seconds: its peer takes nothing."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    own = socket.create_connection(listener.getsockname())
    peer, _ = listener.accept()
    own.setblocking(False)
    try:
        while True:
            own.send(bytes(65536))
    except BlockingIOError:
        pass
    own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, LONG))
    return own, peer


def linger(name, kind):
    """Leaves ten such connections to whoever reads that socket."""
    held, links, sent, refused = [], [], 0, 0
    for _ in range(10):
        link = socket.socket(socket.AF_UNIX, getattr(socket, kind))
        link.connect("\0" + name)
        own, peer = lingering()
        try:
            link.sendmsg([b"STATUS=x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [own.fileno()]))])
            sent += 1
        except PermissionError:
            refused += 1
        # It lingers here if it is the last: refused, or closed over there already.
        threading.Thread(target=own.close, daemon=True).start()
        held.append(peer)
        links.append(link)
    print(f"sent={sent} refused={refused}", flush=True)
    sys.stdin.read()


def say(name, text):
    """Says it as a service would, and ends."""
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(text.replace(";", "\n").encode(), "\0" + name)
    print("said", flush=True)


def squat(name, _):
    """Takes the name as soon as it is free, and counts who connects until the end of standard input, and who says something."""
    own = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    while True:
        try:
            own.bind("\0" + name)
            break
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            time.sleep(0.001)
    own.listen(50)
    print("taken", flush=True)
    own.setblocking(False)
    links, heard, ended = 0, 0, False
    while True:
        if not ended:
            ended = sys.stdin in select.select([own, sys.stdin], [], [])[0]
        try:
            link, _ = own.accept()
        except BlockingIOError:
            if ended:
                break
            continue
        links += 1
        link.settimeout(5)
        heard += len(link.recv(4096)) > 0
        link.close()
    print(f"links={links} heard={heard}", flush=True)


if __name__ == "__main__":
    mode, name, argument = sys.argv[1:]
    globals()[mode](name, argument)
