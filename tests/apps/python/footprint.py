"""Holds memory and serves. MAPPED names a file that is mapped and read, so that whoever else maps it shares that; OWN is how
many MiB of its own it begins with, and SIGUSR2 adds GROWS or as many again. With HIDDEN=1 nobody without a privilege may look at it.
With the word `hold` it serves nobody: it says that it has the memory, and ends with its standard input.
"""
import ctypes
import mmap
import os
import signal
import sys

OWN = int(os.environ.get("OWN", "0")) << 20
GROWS = int(os.environ.get("GROWS", "0")) << 20 or OWN
PR_SET_DUMPABLE = 4
held = []


def own(size):
    """Filled, since the system gives only what is written to."""
    held.append(b"x" * size)


def mapped(path):
    with open(path, "rb") as file:
        memory = mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ)
    for page in range(0, len(memory), mmap.PAGESIZE):
        memory[page]
    return memory


# Before it holds anything: what it holds may be looked at at any time.
if os.environ.get("HIDDEN") == "1":
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
if "MAPPED" in os.environ:
    held.append(mapped(os.environ["MAPPED"]))
own(OWN)
if sys.argv[1:] == ["hold"]:
    print("held", flush=True)
    sys.stdin.read()
else:
    # It binds the port of the server that this is.
    import blocking

    signal.signal(signal.SIGUSR2, lambda *_: own(GROWS))
    blocking.main(blocking.accept)
