"""Ignores the signals that ask it to stop, as does a helper that has left the process group; otherwise blocking.py."""
import os
import signal

# Before it listens: a worker that listens is running and may be told to stop.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)

import blocking  # noqa: E402  (it listens)

if os.fork() == 0:
    # A daemon: its parent ends at once, its session is its own.
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    blocking.listener.close()
    while True:
        signal.pause()

os.wait()
blocking.main(blocking.accept)
