#!/usr/bin/env bash
# Linux: /proc/PID/environ that is read in pieces can end in the middle, without an error, as if it were all.
#
# Expected by a careful guess: a reader gets the environment before an exec or the one after it, or an error; libraries that
# read a whole file (most begin with some dozen bytes, as the file says that it has none) give one of the two.
# Seen (Linux 6.18): the open file is bound to the memory of the program that is being replaced. When that is gone, every
# further read gives 0, the mark of a complete file: what was read is a proper beginning, here without its last variable.
# The same bytes by one read with room enough are all or none. /proc/PID/maps ends in the same way; there a read from the
# start, which gives 0 if the memory is gone, tells.
# Who looks for a variable by which to know its own children takes a child for a stranger.
# Needs python3 and sh. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import collections, os, sys
environment = {f"FILLER{i}": "x" * 40 for i in range(60)} | {"LAST": "here"}
def in_pieces(fd):
    text, size = b"", 32
    while piece := os.read(fd, size):
        text += piece; size *= 2
    return text
def at_once(fd): return os.read(fd, 1 << 20)
def look(pid, read, seen):
    try: fd = os.open(f"/proc/{pid}/environ", os.O_RDONLY)
    except OSError: return
    try: text = read(fd)
    except OSError: text = b""
    finally: os.close(fd)
    if text and b"FILLER" not in text: return  # It has not executed the shell yet.
    seen["empty" if not text else "whole" if b"LAST=here\0" in text else "cut"] += 1
def tried(read, times):
    seen = collections.Counter()
    for _ in range(times):
        # The same environment before and after it executes another program.
        pid = os.spawnve(os.P_NOWAIT, "/bin/sh", ["sh", "-c", "exec sleep 0"], environment | {"PATH": os.defpath})
        while os.waitpid(pid, os.WNOHANG)[0] == 0: look(pid, read, seen)
    return seen
pieces, once = tried(in_pieces, 1500), tried(at_once, 1500)
print("in pieces:", dict(pieces), "at once:", dict(once))
sys.exit(0 if pieces["cut"] > 0 and once["cut"] == 0 and once["whole"] > 0 else 1)
P
