#!/usr/bin/env bash
# Linux: when one thread takes another user for files alone (setfsuid), the whole process is hidden from its own user.
#
# Expected by a careful guess: setfsuid(2) is about the files that the calling thread opens, and other threads keep theirs; so do
# core dumps, and who may look into the process.
# Seen (Linux 6.18): the mark by which a process may be dumped and looked into (PR_GET_DUMPABLE) belongs to the memory, which all
# threads share. One setfsuid to another number clears it for all of them, and it stays cleared when that thread has ended.
# From then on the files in /proc/PID belong to root, and another process of the same user may not read them. It has to be set
# again with PR_SET_DUMPABLE.
# A server that opens files as its clients, from one thread each, loses its core dumps and whatever watches it as its own user.
# Needs python3, as root. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import ctypes, os, platform, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 122, "aarch64": 151}.get(platform.machine())  # setfsuid, of the calling thread
if number is None: sys.exit(77)
dumpable = lambda: libc.prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
def owner(pid): return os.stat(f"/proc/{pid}/environ").st_uid
def within(change):
    """What a process of user 65534 shows: before, and after a thread of it has changed its user for files."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.prctl(8, 1, 0, 0, 0)  # PR_SET_KEEPCAPS
        os.setresuid(65534, 65534, 0)  # may go back, so that a thread may change
        libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
        before = (dumpable(), owner(os.getpid()))
        if change:
            os.setresuid(65534, 0, 0)
            libc.prctl(4, 1, 0, 0, 0)
            thread = threading.Thread(target=lambda: libc.syscall(number, 65533))
            thread.start(); thread.join()
        os.write(write, repr((before, (dumpable(), owner(os.getpid())))).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return eval(os.read(read, 1000))
alone, thread = within(False), within(True)
print("dumpable, owner of /proc/PID/environ: alone", alone, "with a thread that changed:", thread)
sys.exit(0 if alone[0][0] == alone[1][0] == 1 and thread[0][0] == 1 and thread[1][0] != 1 and thread[1][1] == 0 else 1)
P
