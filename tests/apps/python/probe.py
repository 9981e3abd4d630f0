"""Prints what it was given at its start, one fact a line, and ends: the two runs of a test compare it."""
import os
import resource
import signal

for name in ("PROCESS_LOGICAL_ID", "GIVEN", "LD_PRELOAD"):
    print(f"env {name}={os.environ.get(name)}")
print("stdin", os.readlink("/proc/self/fd/0"))
print("descriptors", *sorted(name for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")))
print("blocked", *sorted(int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
for line in open("/proc/self/status"):
    name, _, value = line.partition(":")
    if name == "SigIgn":
        # Without 32 and 33, which belong to the C library: no program can set them. Python itself ignores two more.
        print("ignored", *(n for n in range(1, 65) if int(value, 16) >> (n - 1) & 1 and n not in (32, 33)))
    elif name in ("NoNewPrivs", "Seccomp", "CapEff"):
        print(name, value.strip())
print("nofile", *resource.getrlimit(resource.RLIMIT_NOFILE))
print("core", *resource.getrlimit(resource.RLIMIT_CORE))
print("policy", os.sched_getscheduler(0), "nice", os.nice(0))
print("affinity", *sorted(os.sched_getaffinity(0)))
umask = os.umask(0)
print("umask", umask)
print("cwd", os.path.basename(os.getcwd()))
print("oom", open("/proc/self/oom_score_adj").read().strip())
print("group-of-its-own", os.getpgid(0) == os.getpid())
