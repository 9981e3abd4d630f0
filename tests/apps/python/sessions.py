"""Opens a port of its own for each session and tells it to the client, as FTP servers do for passive transfers. Each line on a
connection is a session: the answer is a port, where this very process says who it is.

Words in a line: `named` asks for the port before listen(), `reuse` sets SO_REUSEPORT, `free` binds a port of its own choosing.
With TWICE=1 it listens on two ports more as it starts, which the system chooses for IPv4 and IPv6.
"""
import os
import socket
import threading

import contract

BEFORE = [("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)] if os.environ.get("TWICE") == "1" else []
early = []
for host, family in BEFORE:
    listener = socket.socket(family)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, 0))
    listener.listen(8)
    early.append(listener)


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()


def data_listener(words):
    while True:
        listener = socket.socket()
        if "reuse" in words:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind(free_address() if "free" in words else ("0.0.0.0", 0))
            if "named" in words:
                listener.getsockname()
            listener.listen(8)
            return listener
        except OSError:
            listener.close()


def serve(connection):
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            with data_listener(line.decode().split()) as listener:
                connection.sendall(f"{contract.who().decode().strip()} port={listener.getsockname()[1]}\n".encode())
                with listener.accept()[0] as data:
                    data.sendall(contract.who())


listener = contract.bound_socket()
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
