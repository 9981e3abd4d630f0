"""The contract, a thread for each connection, and: GET /attack?mode=M&arg=A runs attack.py as a child and answers what that
prints; GET /stuff?count=N sends so much garbage up its own lane; GET /notify?name=N speaks for the worker whose socket it is."""
import array
import os
import socket
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


def stuff(count):
    """What the listener's descriptor is in truth, spoken to as no thunk does."""
    lane = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, 0, fileno=os.dup(listener.fileno()))
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1, 2]))]
    sent = 0
    for number in range(count):
        while True:
            try:
                lane.sendmsg([b"garbage" * (number % 50 + 1)], rights if number % 3 == 0 else [])
                sent += 1
                break
            except BlockingIOError:
                pass
            except PermissionError:
                # Newer kernels keep descriptors from a socket that wants none.
                rights = []
    lane.close()
    return f"sent={sent}\n".encode()


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
