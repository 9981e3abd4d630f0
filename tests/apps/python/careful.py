"""The contract, by a program that tests by connect() whether its address is free before it binds it, as CherryPy and php-fpm
do, and ends with an error if it is not. With WAIT=1 the test does not block.

With SIBLING=PORT it is a client first: worker 0 listens there too, and the others begin only when they have got an answer
from there, for which they try again and again. GET /child asks its own address from a process of its own.
"""
import errno
import os
import select
import socket
import subprocess
import sys
import threading
import time

import contract


def connect():
    """None, or why not."""
    path = contract.unix_path()
    probe = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    with probe:
        probe.setblocking(os.environ.get("WAIT") != "1")
        code = probe.connect_ex(path or contract.host_port())
        if code == errno.EINPROGRESS:
            select.select([], [probe], [])
            code = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode[code] if code else None


def give(listener):
    while True:
        with listener.accept()[0] as connection:
            connection.sendall(b"given")


def take(port):
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                if connection.recv(5) == b"given":
                    return
        except OSError:
            time.sleep(0.01)


if sibling := int(os.environ.get("SIBLING", "0")):
    if os.environ.get("PROCESS_LOGICAL_ID") == "0":
        listener = socket.create_server(("127.0.0.1", sibling))
        threading.Thread(target=give, args=[listener], daemon=True).start()
    else:
        take(sibling)
else:
    answer = connect()
    print("tested:", answer, flush=True)
    if answer is None:
        sys.exit("the address is not free")
    if (path := contract.unix_path()) and not path.startswith("\0") and os.path.exists(path):
        os.unlink(path)

import blocking  # noqa: E402: it listens

common = contract.answer
ASKS = "import socket, sys; c = socket.create_connection((sys.argv[1], int(sys.argv[2]))); c.close(); print('answered')"


def own_answer(request, sockets):
    if request.path == "/child":
        host, port = contract.host_port()
        asked = subprocess.run([sys.executable, "-c", ASKS, host, str(port)], capture_output=True, check=False)
        return 200, asked.stdout
    return common(request, sockets)


contract.answer = own_answer
blocking.main(blocking.accept)
