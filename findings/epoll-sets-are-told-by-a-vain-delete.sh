#!/usr/bin/env bash
# Linux: EPOLL_CTL_DEL of a descriptor that is registered nowhere tells which descriptors are epoll sets, without /proc.
#
# Expected by a careful guess: a program that has lost /proc (chroot) cannot find the epoll sets of a process, because no
# system call names the kind of a descriptor; fstat() says the same anonymous inode for epoll, eventfd and others.
# Seen (Linux 6.18): the vain delete says ENOENT for an epoll set only; EINVAL for any other file, also an eventfd, a timer
# and a signal descriptor; EBADF for a closed number. It changes nothing.
# Needs python3 3.8 or newer. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import ctypes, errno, os, select, socket, sys
EPOLL_CTL_DEL = 2
libc = ctypes.CDLL(None, use_errno=True)
unregistered, other = socket.socketpair()
def vain_delete(fd):
    return errno.errorcode[ctypes.get_errno()] if libc.epoll_ctl(fd, EPOLL_CTL_DEL, unregistered.fileno(), None) else "0"
sets = [select.epoll(), select.epoll()]
sets[1].register(other)
things = {
    "empty epoll set": (sets[0].fileno(), "ENOENT"), "epoll set in use": (sets[1].fileno(), "ENOENT"),
    "eventfd": (libc.eventfd(0, 0), "EINVAL"), "timerfd": (libc.timerfd_create(1, 0), "EINVAL"),
    "inotify": (libc.inotify_init(), "EINVAL"), "socket": (other.fileno(), "EINVAL"),
    "pipe": (os.pipe()[0], "EINVAL"), "closed": (900, "EBADF"),
}
wrong = 0
for name, (fd, wanted) in things.items():
    said = vain_delete(fd); wrong += said != wanted
    print(f"{name:16} {said}" + ("" if said == wanted else f" (it was {wanted})"))
sys.exit(1 if wrong else 0)
P
