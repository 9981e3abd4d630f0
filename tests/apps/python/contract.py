"""The requests every program here answers, for servers that parse HTTP themselves."""
import os
import socket
import threading
import time
from urllib.parse import parse_qs, urlsplit


def who():
    return f"pid={os.getpid()} id={os.environ.get('PROCESS_LOGICAL_ID', '')}\n".encode()


def spin(ms):
    """Keeps a processor busy for so long."""
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end:
        pass


# Imports that take their time.
spin(int(os.environ.get("START_MS", "0")))


def unix_path():
    """UNIX_PATH as bind() wants it, or None."""
    path = os.environ.get("UNIX_PATH")
    return "\0" + path[1:] if path and path.startswith("@") else path or None


def host_port():
    return os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8080"))


def bound_socket():
    """A listening socket, made by hand."""
    path = unix_path()
    if path:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
    else:
        host, port = host_port()
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    listener.listen(128)
    return listener


def address_text(sockets):
    lines = []
    for sock in sockets:
        name = sock.getsockname()
        if sock.family == socket.AF_UNIX:
            name = os.fsdecode(name)
            lines.append("@" + name[1:] if name.startswith("\0") else name)
        elif sock.family == socket.AF_INET6:
            lines.append(f"[{name[0]}]:{name[1]}")
        else:
            lines.append(f"{name[0]}:{name[1]}")
    return ("\n".join(lines or ["none"]) + "\n").encode()


class Request:
    """One parsed request."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.method, target = lines[0].split(" ")[:2]
        self.path = urlsplit(target).path
        self.query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        self.close = any(line.lower().replace(" ", "") == "connection:close" for line in lines[1:])
        self.body = body


def take_request(buffer):
    """Cuts the first complete request off the bytearray, or returns None."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end])
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if len(buffer) < end + 4 + length:
        return None
    body = bytes(buffer[end + 4 : end + 4 + length])
    del buffer[: end + 4 + length]
    return Request(head, body)


def requests(connection):
    """Each request that comes on a blocking connection, until its client closes it or asks that it be closed."""
    buffer = bytearray()
    while True:
        request = take_request(buffer)
        if request is None:
            chunk = connection.recv(65536)
            if not chunk:
                return
            buffer += chunk
            continue
        yield request
        if request.close:
            return


def answer(request, sockets):
    """(status, body) for what needs no waiting and no listener; 404 for the rest."""
    match request.method, request.path:
        case "GET", "/" | "/slow":
            return 200, who()
        case "GET", "/spin":
            print("spinning", flush=True)
            spin(int(request.query["ms"]))
            return 200, who()
        case "GET", "/lock":
            # Nobody will ever let go of it.
            print("locking", flush=True)
            lock = threading.Lock()
            lock.acquire()
            lock.acquire()
        case "GET", "/exit":
            os._exit(int(request.query["code"]))
        case "POST", "/echo":
            return 200, request.body
        case "GET", "/port":
            return 200, address_text(sockets)
    return 404, b"no such page\n"


def delay(request):
    """Seconds to wait before answering."""
    return int(request.query["ms"]) / 1000 if request.path == "/slow" else 0


def pieces(request):
    """Of /stream: seconds before each byte, and how many bytes."""
    count = int(request.query["pieces"])
    return int(request.query["ms"]) / 1000 / count, count


def response(status, body, length=None):
    length = len(body) if length is None else length
    return f"HTTP/1.1 {status} x\r\nContent-Length: {length}\r\n\r\n".encode() + body
