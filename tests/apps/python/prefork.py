"""Listens, then forks two children that accept; the parent only waits for them."""
import os
import signal
import sys

import blocking

children = []
for _ in range(2):
    child = os.fork()
    if child == 0:
        blocking.main(blocking.accept)
    children.append(child)


def stop(*_):
    for child in children:
        os.kill(child, signal.SIGTERM)
    sys.exit(0)


signal.signal(signal.SIGTERM, stop)
while True:
    os.wait()
