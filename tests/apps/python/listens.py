"""Listens on several addresses, each worker in its own way, and tells what came of it.

LISTENS is a JSON object: for each logical id a list of listeners, each with "host", and perhaps "port" (default: PORT),
"backlog", "v6only", "reuseport", and "before" and "after" (listen): lists of options as [name, value]. Each listener's outcome is a
line on stdout: `id: host ok`, or the step that failed and its errno.

Requests: those of the contract, and GET /option?name=SO_KEEPALIVE, answered by the listener's value and the
connection's.
"""
import errno
import json
import os
import socket
import sys
import threading

import contract

OPTIONS = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "SO_REUSEPORT": (socket.SOL_SOCKET, socket.SO_REUSEPORT),
    "SO_RCVBUF": (socket.SOL_SOCKET, socket.SO_RCVBUF),
    "TCP_DEFER_ACCEPT": (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
    "TCP_FASTOPEN": (socket.IPPROTO_TCP, socket.TCP_FASTOPEN),
    "TCP_NODELAY": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
}


def make(spec):
    """A listening socket; an error carries the name of the step."""
    host, port = spec["host"], spec.get("port", int(os.environ["PORT"]))
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if spec.get("reuseport"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if "v6only" in spec:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, spec["v6only"])
    step = "bind"
    try:
        listener.bind((host, port))
        for name, value in spec.get("before", []):
            listener.setsockopt(*OPTIONS[name], value)
        step = "listen"
        listener.listen(spec.get("backlog", 128))
        step = "option"
        for name, value in spec.get("after", []):
            listener.setsockopt(*OPTIONS[name], value)
    except OSError as error:
        listener.close()
        return None, f"{step} {errno.errorcode[error.errno]}"
    return listener, "ok"


def serve(connection, listener):
    for request in contract.requests(connection):
        if request.path == "/option":
            option = OPTIONS[request.query["name"]]
            values = [sock.getsockopt(*option) for sock in (listener, connection)]
            connection.sendall(contract.response(200, "listener={} connection={}\n".format(*values).encode()))
        else:
            connection.sendall(contract.response(*contract.answer(request, [listener])))


def accept_forever(listener):
    while True:
        connection = listener.accept()[0]
        with connection:
            try:
                serve(connection, listener)
            except ConnectionError:
                pass


me = os.environ.get("PROCESS_LOGICAL_ID", "0")
threads = []
for spec in json.loads(os.environ["LISTENS"])[me]:
    listener, outcome = make(spec)
    print(f"{me}: {spec['host']} {outcome}", flush=True)
    if listener:
        threads.append(threading.Thread(target=accept_forever, args=[listener]))
if not threads:
    sys.exit(f"worker {me} listens nowhere")
for thread in threads:
    thread.start()
