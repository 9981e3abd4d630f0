#!/usr/bin/env bash
# Linux: EPOLLEXCLUSIVE on a listening socket is of no effect where the set that holds it is itself waited on through another set.
#
# Expected by a careful guess: the flag belongs to the registration of the socket, so each connection wakes one of several
# processes, whether they wait on the set that holds it or on a set that holds that set.
# Seen (Linux 6.18): the kernel stops at the first set in which a thread sleeps. A thread that waits on an outer set does not
# sleep in the inner one, so every process wakes for every connection, as without the flag. (The other way round it works: the
# socket in the outer set, beside the inner one.)
# Who wraps a program's event loop in a set of his own must put the socket beside the loop's set, not into one below it.
# Needs python3. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import os, select, socket, sys, time
EXCLUSIVE = 1 << 28
def woken(nested, flags):
    """How many of four sleeping processes wake for one connection."""
    listener = socket.create_server(("127.0.0.1", 0)); up, down = os.pipe(); children = []
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            wait = inner = select.epoll(); inner.register(listener, select.EPOLLIN | flags)
            if nested:
                wait = select.epoll(); wait.register(inner, select.EPOLLIN)
            os.write(down, b"r"); wait.poll(30); os.write(down, b"w"); os._exit(0)
        children.append(pid)
    ready = 0
    while ready < 4: ready += len(os.read(up, 4))
    while any(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "S" for pid in children): time.sleep(.001)
    time.sleep(.05); client = socket.create_connection(listener.getsockname())
    end = time.monotonic() + 1; count = 0
    while count < 4 and select.select([up], [], [], max(0, end - time.monotonic()))[0]: count += len(os.read(up, 4))
    for pid in children: os.kill(pid, 9); os.waitpid(pid, 0)
    return count
seen = [woken(False, 0), woken(False, EXCLUSIVE), woken(True, EXCLUSIVE)]
print(f"of 4 processes one connection wakes: {seen[0]} without the flag, {seen[1]} with it, {seen[2]} with it in a set within a set")
sys.exit(0 if seen == [4, 1, 4] else 1)
P
