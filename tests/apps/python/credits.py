"""What accept() answers where connections are accepted on credit: `credits.py THUNK`. It stands in for the supervisor, so that
each record comes when it is to come. `credits.py THUNK slowly`: whether a thread that was slow to mark itself accepts by a
credit that was revoked meanwhile; strace holds it up there."""
import os
import socket
import sys
import threading
import time

from stand_in import EXHAUSTED, LISTENER, NO_CREDIT, RECEIVED, RING, TAKES_CREDIT, Supervisor, Worker, wait_until

THUNK = sys.argv[1]
failed = []


def check(what, found, wanted):
    if found != wanted:
        failed.append(what)
        print(f"{what}: {found!r} and not {wanted!r}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def begin(blocks=False, tool=()):
    supervisor = Supervisor()
    worker = Worker(supervisor, THUNK, tool)
    worker(f"s = listen({free_port()}, {blocks})")
    lane = supervisor.lanes[0]
    check("it says that it takes credits", lane.heard(), [TAKES_CREDIT])
    return supervisor, worker, lane


def accepts(worker, count, listener="s"):
    return [worker(f"accept({listener})") for _ in range(count)]


def singles():
    _, worker, lane = begin()
    check("the socket is out of the way", worker("hidden()"), [900])
    check("and closed by an exec", worker("fcntl.fcntl(900, fcntl.F_GETFD)"), 1)
    client = lane.dial()
    check("without a credit", accepts(worker, 1), ["EAGAIN"])
    lane.single()
    check("by a single", accepts(worker, 2), ["ok", "EAGAIN"])
    check("the peer", worker("connections[-1].getpeername()"), client.getsockname())
    check("counted", (lane.used(), lane.accepted(), lane.marks(), lane.heard()), (1, 1, [], []))
    lane.ask_to_ring()
    lane.single()
    check("nobody waits", accepts(worker, 1), ["EAGAIN"])
    check("used all the same", (lane.used(), lane.heard()), (2, [RING]))
    lane.dial()
    lane.single()
    bad = "(libc.accept(s.fileno(), ctypes.c_void_p(8), ctypes.c_void_p(8)), name_of(ctypes.get_errno()))"
    check("a bad address", worker(bad), (-1, "EFAULT"))
    lane.dial()
    lane.single()
    bad = "(libc.accept4(s.fileno(), None, None, 1), name_of(ctypes.get_errno()))"
    check("bad flags", worker(bad), (-1, "EINVAL"))
    same = "(ctypes.set_errno(77), libc.accept4(s.fileno(), None, None, socket.SOCK_CLOEXEC) > 0, ctypes.get_errno())[1:]"
    check("which take nothing, and errno stays", worker(same), (True, 77))
    worker.kill()


def opens():
    _, worker, lane = begin()
    clients = [lane.dial() for _ in range(3)]
    lane.open(ring=True)
    worker("told = select.epoll()")
    worker("told.register(s, select.EPOLLIN)")
    rounds = [(len(worker("told.poll(30)")), worker("accept(s)")) for _ in range(4)]
    check("told again for each", rounds, [(1, "ok"), (1, "ok"), (1, "ok"), (1, "EAGAIN")])
    check("who finds nothing", (lane.is_open(), lane.heard(), lane.is_empty()), (False, [RING], True))
    clients += [lane.dial() for _ in range(3)]
    lane.open(ceiling=2)
    check("up to the ceiling", accepts(worker, 3), ["ok", "ok", "EAGAIN"])
    check("of which it always sends word", (lane.is_open(), lane.heard(), lane.is_empty()), (False, [RING], True))
    lane.open()
    lane.revoke()
    check("not once it is revoked", accepts(worker, 1), ["EAGAIN"])
    check("without a word", (lane.heard(), lane.is_empty()), ([], True))
    lane.send_open(1)
    lane.open(send=False)
    check("an old record is dropped", accepts(worker, 2), ["ok", "EAGAIN"])
    check("with the new credit used up", (lane.is_open(), lane.is_empty()), (False, True))
    lane.dial()
    lane.hand_over()
    lane.dial()
    lane.single()
    lane.dial()
    lane.open()
    check("all kinds in turn", accepts(worker, 4), ["ok", "ok", "ok", "EAGAIN"])
    check("counted", (lane.number_at(RECEIVED), lane.is_empty()), (1, True))
    worker.kill()


def patient():
    _, worker, lane = begin()
    worker("told = select.epoll()")
    worker("told.register(s, select.EPOLLIN)")
    lane.be_patient(True)
    lane.dial()
    lane.open(ring=True)
    told = [(len(worker("told.poll(30)")), worker("accept(s)")) for _ in range(2)]
    check("who finds nothing once", told, [(1, "ok"), (1, "EAGAIN")])
    check("leaves it open", (lane.is_open(), lane.heard(), lane.is_empty()), (True, [], False))
    lane.dial()
    told = [(len(worker("told.poll(30)")), worker("accept(s)")) for _ in range(3)]
    check("which counts anew after a connection", told, [(1, "ok"), (1, "EAGAIN"), (1, "EAGAIN")])
    check("twice in a row is the end", (lane.is_open(), lane.heard(), lane.is_empty()), (False, [RING], True))
    lane.dial()
    lane.hand_over()
    lane.open()
    check("not where a connection is handed over, too", accepts(worker, 2), ["ok", "EAGAIN"])
    worker("s.setblocking(True)")
    lane.dial()
    lane.single()
    lane.open()
    check("nor where the program has begun to block", accepts(worker, 1), ["ok"])
    worker.kill()


def noted():
    _, worker, lane = begin()
    numbers = "[struct.unpack('Q', c.getsockopt(socket.SOL_SOCKET, 57, 8))[0] for c in connections]"
    worker("import struct")
    clients = [lane.dial() for _ in range(6)]
    lane.single()
    accepts(worker, 1)
    check("unasked nothing is noted", lane.take_notes(), [])
    lane.be_counted()
    for _ in range(4):
        lane.single()
    accepts(worker, 4)
    check("each is noted", sorted(lane.take_notes()), sorted(worker(numbers)[1:]))
    lane.single()
    accepts(worker, 1)
    check("and the next", lane.take_notes(), worker(numbers)[-1:])
    check("counted as before", (lane.accepted(), len(clients)), (6, 6))
    worker.kill()


def no_descriptor_left():
    _, worker, lane = begin()
    worker("resource.setrlimit(resource.RLIMIT_NOFILE, (1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))")
    worker("taken = fill()")
    lane.dial()
    lane.single()
    check("a single", (accepts(worker, 1), lane.heard(), lane.is_empty()), (["EMFILE"], [(EXHAUSTED, 24)], True))
    lane.open()
    check("an open one", (accepts(worker, 1), lane.heard(), lane.is_open()), (["EMFILE"], [(EXHAUSTED, 24)], False))
    lane.hand_over()
    check("what is handed over stays", accepts(worker, 1), ["EMFILE"])
    worker("[os.close(number) for number in taken]")
    check("and comes", accepts(worker, 2), ["ok", "EAGAIN"])
    worker.kill()


def who_blocks():
    _, worker, lane = begin(blocks=True)
    worker.begin("accept(s)")
    wait_until("it waits", lambda: worker.process.poll() is None)
    lane.single()
    wait_until("the single is used", lambda: lane.used() == 1)
    check("a single for nothing", worker.is_done(0.1), False)
    lane.dial()
    lane.single()
    check("and another", worker.end(), "ok")
    worker("told = select.poll()")
    worker("told.register(s, select.POLLIN)")
    lane.single()
    check("told, and somebody was quicker", (len(worker("told.poll()")), worker("accept(s)")), (1, "ECONNABORTED"))
    worker.kill()


def another_socket():
    supervisor, worker, lane = begin()
    supervisor.asked_for_credit()
    worker("os.closerange(900, 1000)")
    lane.dial()
    lane.single()
    check("closed", (accepts(worker, 1), supervisor.asked_for_credit(), lane.heard()), (["ok"], [LISTENER], []))
    worker("other = socket.socket()")
    worker("os.dup2(other.fileno(), 900)")
    lane.dial()
    lane.open()
    check("replaced", (accepts(worker, 2), supervisor.asked_for_credit()), (["ok", "EAGAIN"], [LISTENER]))
    check("what replaced it stays", worker("fcntl.fcntl(900, fcntl.F_GETFD)"), 0)
    supervisor.gives_credit = False
    worker("os.closerange(900, 1000)")
    lane.dial()
    lane.single()
    check("not to be had", (accepts(worker, 1), lane.heard(), lane.is_empty()), (["EAGAIN"], [NO_CREDIT], True))
    supervisor.asked_for_credit()
    lane.hand_over()
    check("handed over, unasked", (accepts(worker, 1), supervisor.asked_for_credit()), (["ok"], []))
    worker.kill()


def two_lanes():
    supervisor, worker, first = begin()
    worker(f"t = listen({free_port()})")
    second = supervisor.lanes[1]
    a, b = first.dial(), second.dial()
    worker("os.dup2(t.fileno(), s.fileno())")
    second.single()
    check("by the number of the other", accepts(worker, 1), ["ok"])
    check("of its queue", worker("connections[-1].getpeername()"), b.getsockname())
    worker(f"u = listen({first.address[1]})")
    supervisor.lanes[2].single()
    check("listened on anew", accepts(worker, 1, "u"), ["ok"])
    check("of the first queue", worker("connections[-1].getpeername()"), a.getsockname())
    check("by the same descriptor", len(worker("hidden()")), 2)
    worker("u.shutdown(socket.SHUT_RDWR)")
    check("shut down by the program", first.listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
    worker.kill()


def moved():
    """Under one number now this lane stands and now that one: what the library has seen there before is no proof."""
    supervisor, worker, first = begin()
    worker(f"t = listen({free_port()})")
    worker("own = s.dup()")
    second = supervisor.lanes[1]

    def put(lane):
        worker(f"os.dup2({'own' if lane is first else 't'}.fileno(), s.fileno())")

    def taken():
        return first.accepted(), second.accepted()

    for lane in (first, second):
        [lane.dial() for _ in range(6)]
    check("the first", accepts(worker, 1), ["EAGAIN"])
    put(second)
    second.single()
    check("a single of the second", (accepts(worker, 2), taken()), (["ok", "EAGAIN"], (0, 1)))
    put(first)
    first.single(named=False)
    check("one of the first, which is not named", (accepts(worker, 2), taken()), (["ok", "EAGAIN"], (1, 1)))
    second.open()
    put(second)
    check("known as the first", (accepts(worker, 1), second.is_open(), taken()), (["EAGAIN"], False, (1, 1)))
    check("which ends its open credit", (second.heard()[1:], second.is_empty()), ([RING], True))
    second.open()
    check("known as the second", (accepts(worker, 1), taken()), (["ok"], (1, 2)))
    put(first)
    check("the first has none", (accepts(worker, 1), second.is_open(), taken()), (["EAGAIN"], True, (1, 2)))
    put(second)
    first.open()
    check("both are open", (accepts(worker, 1), taken()), (["ok"], (1, 3)))
    put(first)
    check("the first again", (accepts(worker, 1), taken()), (["ok"], (2, 3)))
    first.revoke()
    second.revoke()
    check("nothing", (accepts(worker, 1), taken()), (["EAGAIN"], (2, 3)))
    put(second)
    second.hand_over()
    check("handed over", accepts(worker, 1), ["ok"])
    check("counted where it came", (first.number_at(RECEIVED), second.number_at(RECEIVED)), (0, 1))
    worker.kill()


def looks():
    """Where the queue is empty no accept is made in vain, and a look at another socket's does no harm."""
    supervisor, worker, lane = begin()
    lane.be_patient(True)
    worker("other = socket.socket()")
    worker("other.bind(('127.0.0.1', 0)), other.setblocking(False)")
    # Not by the library: it would make a lane of it.
    worker(f"libc.syscall({ {'x86_64': 50, 'aarch64': 201}[os.uname().machine]}, other.fileno(), 8)")
    lane.dial()
    lane.open()
    worker("os.dup2(other.fileno(), 900)")
    supervisor.asked_for_credit()
    check("another's queue, once", (accepts(worker, 1), lane.is_open()), (["EAGAIN"], True))
    check("and not again", (accepts(worker, 1), supervisor.asked_for_credit()), (["ok"], [LISTENER]))
    worker.kill()


def children():
    supervisor, worker, lane = begin()
    supervisor.asked_for_credit()
    lane.dial()
    lane.single()
    check("a forked child", worker("in_child(lambda: accept(s))"), "ok")
    check("has what its parent has", (supervisor.asked_for_credit(), lane.used()), ([], 1))
    supervisor.adopts = True
    lane.dial()
    worker.begin("in_child(lambda: (accept_in_time(s), hidden()))")
    wait_until("it has a lane of its own", lambda: len(supervisor.lanes) == 2)
    own = supervisor.lanes[1]
    wait_until("it takes credits", lambda: own.heard() == [TAKES_CREDIT])
    own.single()
    check("one that is adopted", worker.end(), ("ok", [900]))
    supervisor.adopts = False
    program = "import socket; print(socket.socket(fileno=int(input())).accept()[1])"
    worker("import subprocess")
    lane.heard()
    client = lane.dial()
    lane.single()
    worker(f"program = {program!r}")
    run = "[sys.executable, '-c', program], input=str(s.fileno()), pass_fds=[s.fileno()], stdout=-1, text=True"
    check("another program", worker(f"subprocess.run({run}).stdout"), f"{client.getsockname()}\n")
    check("asks for itself", lane.heard(), [TAKES_CREDIT])
    worker.kill()


# What a thread does between its look for an open credit and the end of its mark.
CALLS = "getsockopt,accept4"
SLOWLY = ["strace", "-f", "-o", "/dev/null", "-e", f"trace={CALLS}", "-e", f"inject={CALLS}:delay_enter=500"]


def revoked_at_any_time(tool=()):
    _, worker, lane = begin(tool=tool)
    worker("told = select.epoll()")
    worker("told.register(s, select.EPOLLIN)")
    serve = "while True:\n    told.poll()\n    if accept(s) == 'ok': connections.pop().close()"
    worker(f"serve = {serve!r}")
    worker("threads = [threading.Thread(target=exec, args=(serve, globals()), daemon=True) for _ in range(4)]")
    worker("[thread.start() for thread in threads]")
    done = []

    def dial():
        while not done:
            lane.dial().recv(1)

    dialling = [threading.Thread(target=dial) for _ in range(4)]
    [thread.start() for thread in dialling]
    late = 0
    for _ in range(int(os.environ.get("CLUSTERMON_TEST_CORDONS", 300))):
        before = lane.accepted()
        lane.open()
        wait_until("some are accepted", lambda: lane.accepted() > before or not lane.is_open())
        lane.revoke()
        wait_until("nobody is marked", lambda: not lane.marks())
        count = lane.accepted()
        time.sleep(0.0005)
        late += lane.accepted() - count
    check("accepted after it was revoked", late, 0)
    done.append(True)
    while any(thread.is_alive() for thread in dialling):
        lane.single()
        time.sleep(0.01)
    worker.kill()


if sys.argv[2:] == ["slowly"]:
    revoked_at_any_time(SLOWLY)
else:
    singles()
    opens()
    patient()
    noted()
    no_descriptor_left()
    who_blocks()
    another_socket()
    two_lanes()
    moved()
    looks()
    children()
    revoked_at_any_time()
print("failed" if failed else "passed")
