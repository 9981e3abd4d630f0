#!/usr/bin/env bash
# Linux and glibc: a program can be started with signal 32 or 33 ignored, and its C library can neither tell nor change it.
#
# Expected by a careful guess: who wants a child with every signal at its default goes through 1 to SIGRTMAX with sigaction(2) or
# sigaction of the library, as daemons and supervisors do, and is done.
# Seen (glibc 2.36, Linux 6.18): glibc keeps 32 and 33 for its threads and answers EINVAL for them, so SIGRTMIN is 34 for every
# program. But the kernel knows nothing of that: a parent that ignores them by the raw call (or whose library is another) hands
# that on over fork and exec, as every ignored signal. The child shows them in SigIgn of /proc/PID/status, and so do its own
# children. Only rt_sigaction by syscall() resets them.
# Needs python3 with glibc. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
ldd --version 2>/dev/null | head -1 | grep -qi glibc\\\|gnu || { echo "needs glibc"; exit 77; }
echo "Linux $(uname -r), $(ldd --version | head -1)"
exec python3 - <<'P'
import ctypes, os, platform, signal, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 13, "aarch64": 134}.get(platform.machine())  # rt_sigaction
if number is None: sys.exit(77)
action = (ctypes.c_ulong * 4)
IGNORE, DEFAULT = action(1, 0, 0, 0), action(0, 0, 0, 0)
def raw(which, what): return libc.syscall(number, which, what, None, 8)
def ignored(before):
    """SigIgn of a program that is executed after this."""
    text = subprocess.run(["cat", "/proc/self/status"], preexec_fn=before, stdout=subprocess.PIPE, text=True).stdout
    mask = next(int(line.split()[1], 16) for line in text.splitlines() if line.startswith("SigIgn"))
    return [which for which in (32, 33) if mask >> (which - 1) & 1]
def inherit(): [raw(which, IGNORE) for which in (32, 33)]
def by_libc():
    inherit()
    for which in range(1, 65):
        libc.signal(which, 0)
def by_syscall():
    inherit()
    [raw(which, DEFAULT) for which in (32, 33)]
libc.signal.restype = ctypes.c_void_p
ctypes.set_errno(0); refused = libc.signal(32, 0) == ctypes.c_void_p(-1).value and ctypes.get_errno() == 22
told = {what.__name__: ignored(what) for what in (inherit, by_libc, by_syscall)}
print("ignored in the child:", told, "signal(32) refused with EINVAL:", refused, "SIGRTMIN:", int(signal.SIGRTMIN))
sys.exit(0 if refused and told == {"inherit": [32, 33], "by_libc": [32, 33], "by_syscall": []} else 1)
P
