"""Listens at PORT and serves nobody; each SIGUSR1 makes it listen at the next of LATE_PORTS too, and say how that went."""
import os
import signal
import socket

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


def listener(port):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(("127.0.0.1", int(port)))
    one.listen(8)
    return one


held = [listener(os.environ["PORT"])]
for port in os.environ["LATE_PORTS"].split():
    signal.sigwait([signal.SIGUSR1])
    try:
        held.append(listener(port))
        print("late: ok", flush=True)
    except OSError as error:
        print("late:", error, flush=True)
signal.sigwait([signal.SIGUSR1])
