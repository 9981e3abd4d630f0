"""Runs a command on a terminal of its own, which vanishes at SIGUSR1: on_terminal.py leader|job COMMAND...

As `leader` the command leads the terminal's session and hears of it from the kernel; as `job` it is started by a shell
of few words, which passes the signal on in its own name. Its stdout and stderr stay where they are.
"""
import os
import pty
import signal
import sys

role, command = sys.argv[1], sys.argv[2:]
streams = [os.dup(1), os.dup(2)]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])


def execute():
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1, signal.SIGHUP])
    for number, stream in enumerate(streams, 1):
        os.dup2(stream, number)
        os.close(stream)
    os.execvp(command[0], command)


def code_of(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


leader, terminal = pty.fork()
if leader == 0 and role == "leader":
    execute()
if leader == 0:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        execute()
    signal.sigwait([signal.SIGHUP])
    os.kill(job, signal.SIGHUP)
    os._exit(code_of(job))
signal.sigwait([signal.SIGUSR1])
os.close(terminal)
sys.exit(code_of(leader))
