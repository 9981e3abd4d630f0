#!/usr/bin/env bash
# Linux: a process that has been killed can be read, has state R, and shows an empty /proc/PID/fd without any error.
#
# Expected by a careful guess: while /proc/PID/fd can be read without an error and the process is no zombie, the list is
# what the process holds; a process on its way out gives ENOENT, ESRCH or EACCES.
# Seen (Linux 6.18): exit takes the table of descriptors away first and closes thousands of sockets afterwards. Meanwhile
# the state is R, the directory opens and lists nothing. Only bit 0x4 (PF_EXITING) of field 9 of /proc/PID/stat tells.
# Who concludes from the list that a server has closed its listener takes a death for a close.
# Needs python3. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import os, resource, signal, socket, sys
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
if hard < 19000: print("the hard limit of descriptors is", hard); sys.exit(77)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
def look(pid):
    """State, flags and the number of descriptors that are listed; None once it is gone."""
    try:
        listed = len(os.listdir(f"/proc/{pid}/fd"))
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
    except OSError: return None
    return fields[0], int(fields[6]), listed
seen = None
for attempt in range(20):
    up, down = os.pipe(); pid = os.fork()
    if pid == 0:
        keep = [socket.socketpair() for _ in range(9000)]
        os.write(down, b"x"); signal.pause()
    os.close(down); os.read(up, 1); os.close(up)
    before = look(pid); os.kill(pid, signal.SIGKILL)
    while (now := look(pid)) and now[0] != "Z":
        if now[2] == 0 and now[0] == "R": seen = now
    os.waitpid(pid, 0)
    if seen: break
if not seen: print("not seen in 20 kills"); sys.exit(1)
print(f"before: {before[2]} descriptors; after SIGKILL: state {seen[0]}, no error, {seen[2]} descriptors, PF_EXITING {bool(seen[1] & 4)}")
sys.exit(0 if seen[1] & 4 else 1)
P
