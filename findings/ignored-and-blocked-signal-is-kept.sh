#!/usr/bin/env bash
# Linux: a signal that is ignored and blocked is not thrown away: a signalfd or sigtimedwait() reads it.
#
# Expected by a careful guess: SIG_IGN discards a signal when it is sent, whatever the mask, so that a command in the
# background of a script, for which the shell ignores SIGINT, never sees the terminal's Ctrl-C.
# Seen (Linux 6.18): only a signal that is not blocked is discarded. A program that blocks SIGINT to read it from a
# descriptor gets every one of them, though it was started with SIGINT ignored; it has to ask for the disposition first.
# Needs python3. Exit 0: still so; 1: it has changed; 77: cannot be tried here.
set -u
command -v python3 >/dev/null || { echo "needs python3"; exit 77; }
echo "Linux $(uname -r)"
exec python3 - <<'P'
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
def arrives(blocked):
    signal.pthread_sigmask(signal.SIG_BLOCK if blocked else signal.SIG_UNBLOCK, [signal.SIGINT])
    os.kill(os.getpid(), signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    return signal.sigtimedwait([signal.SIGINT], 0) is not None
kept, dropped = arrives(True), arrives(False)
print(f"ignored and blocked: {'kept' if kept else 'discarded'}; ignored and not blocked: {'kept' if dropped else 'discarded'}")
sys.exit(0 if kept and not dropped else 1)
P
