#!/usr/bin/env bash
# Linux: whether a program that has dropped its user can open /dev/stderr depends on the mode of an unnamed pipe.
#
# Expected by a careful guess: /dev/stderr leads to the process's own open descriptor, so whoever may write to it may open
# it; an unnamed pipe has no permissions to speak of.
# Seen (Linux 6.18): opening /proc/self/fd/2 opens the pipe's inode anew and checks its owner and mode, which are the
# creator's and 0600. After setuid() the open fails with EACCES though write(2) works. fchmod() on the pipe changes that.
# Needs python3 and root. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import os, sys
def dropped(mode):
    reader, writer = os.pipe()
    if mode is not None: os.fchmod(writer, mode)
    pid = os.fork()
    if pid == 0:
        os.dup2(writer, 2); os.setgroups([]); os.setgid(65534); os.setuid(65534)
        try: os.close(os.open("/proc/self/fd/2", os.O_WRONLY | os.O_APPEND))
        except PermissionError: os.write(2, b"x"); os._exit(13)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
asis, opened = dropped(None), dropped(0o622)
print(f"opened after setuid: as it is made {'no (EACCES), though it can be written' if asis == 13 else 'yes'}; mode 0622 {'yes' if opened == 0 else 'no'}")
sys.exit(0 if (asis, opened) == (13, 0) else 1)
P
