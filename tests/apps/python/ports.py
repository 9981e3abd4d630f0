"""The contract, one connection at a time, and a second listener (EXTRA_HOST, EXTRA_PORT) that only says who it is.

GET /extra answers the second listener's address, or `in use`; GET /self?n=N dials it N times and answers how often
this very process replied.
"""
import errno
import os
import socket
import threading

import blocking
import contract


def make_extra():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((os.environ.get("EXTRA_HOST", "127.0.0.1"), int(os.environ.get("EXTRA_PORT", "0"))))
        listener.listen(128)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return listener


extra = make_extra()


def reply_forever():
    while True:
        connection = extra.accept()[0]
        connection.sendall(contract.who())
        connection.close()


def dial():
    with socket.create_connection(extra.getsockname()) as connection:
        return connection.makefile("rb").read() == contract.who()


common = contract.answer


def answer(request, sockets):
    if request.path == "/extra":
        return 200, contract.address_text([extra]) if extra else b"in use\n"
    if request.path == "/self":
        return 200, f"{sum(dial() for _ in range(int(request.query['n'])))}\n".encode()
    return common(request, sockets)


contract.answer = answer
if extra:
    threading.Thread(target=reply_forever, daemon=True).start()
blocking.main(blocking.accept)
