"""Passes listening sockets to a command as a service manager does: activate.py ADDRESS.. -- COMMAND..

ADDRESS is HOST:PORT, udp:HOST:PORT or a path. SIGHUP stops the command and starts it again, while the sockets go on to listen; SIGTERM is
passed on, and the end of the command is the end of this.
"""

import os
import signal
import socket
import sys

split = sys.argv.index("--")
addresses, command = sys.argv[1:split], sys.argv[split + 1:]


def opened(address):
    if address.startswith("/"):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
    else:
        kind = socket.SOCK_DGRAM if address.startswith("udp:") else socket.SOCK_STREAM
        host, port = address.removeprefix("udp:").rsplit(":", 1)
        listener = socket.socket(socket.AF_INET, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    if listener.type == socket.SOCK_STREAM:
        listener.listen(1024)
    # Out of the way of the numbers that they are to have.
    return os.dup2(listener.detach(), 100 + len(sockets), inheritable=False)


sockets = []
for address in addresses:
    sockets.append(opened(address))
again = False


def start():
    child = os.fork()
    if child == 0:
        for place, own in enumerate(sockets):
            os.dup2(own, 3 + place, inheritable=True)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)))
        os.environ["LISTEN_FDNAMES"] = ":".join(f"socket{place}" for place in range(len(sockets)))
        os.execvp(command[0], command)
    return child


def stop(number, frame):
    global again
    again = number == signal.SIGHUP
    os.kill(child, signal.SIGTERM)


child = start()
signal.signal(signal.SIGHUP, stop)
signal.signal(signal.SIGTERM, stop)
while True:
    _, status = os.waitpid(child, 0)
    if not again:
        sys.exit(os.waitstatus_to_exitcode(status))
    again = False
    child = start()
