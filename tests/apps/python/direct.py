"""Workers whose own wait watches the listening socket while they have an open credit: `direct.py THUNK`. It stands in for the
supervisor, so that each record comes when it is to come."""
import select
import socket
import sys

from stand_in import RING, Supervisor, Worker, wait_until

THUNK = sys.argv[1]
LEVEL = select.EPOLLIN | select.EPOLLERR | select.EPOLLHUP
failed = []


def check(what, found, wanted):
    if found != wanted:
        failed.append(what)
        print(f"{what}: {found!r} and not {wanted!r}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def begin(events=LEVEL, flags="select.EPOLLIN"):
    """A worker whose epoll set is known, with an open credit by which it has found nothing."""
    supervisor = Supervisor()
    worker = Worker(supervisor, THUNK)
    worker(f"s = listen({free_port()})")
    lane = supervisor.lanes[0]
    worker("told = select.epoll()")
    worker(f"told.register(s, {flags})")
    lane.heard()
    tell(worker, lane, events)
    lane.open(ring=True)
    check("it is told of the record", worker("[fd for fd, _ in told.poll(30)] == [s.fileno()]"), True)
    check("and finds nothing", worker("accept(s)"), "EAGAIN")
    return worker, lane


def tell(worker, lane, events=LEVEL):
    number, fd = worker("(told.fileno(), s.fileno())")
    # What Python keeps there is the number.
    lane.tell_registration(number, events, fd)


def watches(lane):
    return (lane.is_open(), lane.is_empty(), lane.watched() == lane.generation)


def accepts():
    worker, lane = begin()
    check("the credit stays open, without its record", watches(lane), (True, True, True))
    check("and nobody hears of it", lane.heard(), [])
    check("the wait has its time", worker("(told.poll(0), told.poll(0.05))"), ([], []))
    worker("begun = time.monotonic()")
    check("all of it", worker("(told.poll(0.2), time.monotonic() - begun >= 0.2)"), ([], True))
    worker.begin("[(fd == s.fileno(), what) for fd, what in told.poll(30)]")
    lane.dial()
    check("the kernel wakes it", worker.end(), [(True, select.EPOLLIN)])
    check("it accepts", worker("accept(s)"), "ok")
    check("is told once more", worker("(len(told.poll(0)), accept(s))"), (1, "EAGAIN"))
    check("and then no more", worker("told.poll(0)"), [])
    clients = [lane.dial() for _ in range(3)]
    rounds = [worker("(len(told.poll(30)), accept(s))") for _ in range(4)]
    check("one accept a wake-up", rounds, [(1, "ok"), (1, "ok"), (1, "ok"), (1, "EAGAIN")])
    check("still open", (watches(lane), lane.heard()), ((True, True, True), []))
    check("counted", (lane.accepted(), lane.found_empty() >= 2, lane.used(), lane.marks()), (4, True, 0, []))
    worker("reading, writing = os.pipe()")
    worker("told.register(reading, select.EPOLLIN)")
    worker("os.write(writing, b'x')")
    check("others are told of", worker("[fd for fd, _ in told.poll(30)] == [reading]"), True)
    clients.append(lane.dial())
    check("beside it", worker("sorted(fd for fd, _ in told.poll(30)) == sorted([reading, s.fileno()])"), True)
    check("and nothing is lost", worker("(accept(s), len(os.read(reading, 9)))"), ("ok", 1))
    worker("spec = struct.pack('=qq', 0, 20_000_000)")
    wait = "libc.epoll_pwait2(told.fileno(), ctypes.create_string_buffer(120), 10, spec, None)"
    lane.dial()
    check("by epoll_pwait2", worker(f"({wait}, accept(s), {wait}, accept(s), {wait})"), (1, "ok", 1, "EAGAIN", 0))
    wait = "libc.epoll_wait(told.fileno(), ctypes.create_string_buffer(120), 10, 20)"
    check("errno stays", worker(f"(ctypes.set_errno(77), {wait}, ctypes.get_errno())[1:]"), (0, 77))
    worker.kill()


def revoked():
    worker, lane = begin()
    worker.begin("[fd for fd, _ in told.poll(30)] == [s.fileno()]")
    lane.revoke()
    lane.void()
    check("it is told of the end", (worker.end(), worker("accept(s)")), (True, "EAGAIN"))
    lane.dial()
    check("and watches no more", worker("told.poll(0.05)"), [])
    check("at all", (lane.watched(), lane.is_empty(), lane.heard()), (0, True, []))
    lane.single()
    check("it goes by records again", worker("(len(told.poll(30)), accept(s))"), (1, "ok"))
    check("of which it sends word, as it was asked", lane.heard(), [RING])
    lane.open(ring=True)
    check("and watches again", worker("(len(told.poll(30)), accept(s), told.poll(0))"), (1, "EAGAIN", []))
    check("by another credit", watches(lane), (True, True, True))
    lane.revoke()
    lane.open(ring=True)
    lane.dial()
    check("replaced meanwhile", worker("(len(told.poll(30)), accept(s), accept(s))"), (1, "ok", "EAGAIN"))
    check("it watches by the new one", watches(lane), (True, True, True))
    lane.revoke()
    lane.dial()
    check("woken in vain", worker("told.poll(0.05)"), [])
    check("the supervisor need not hear", (lane.watched(), lane.heard()), (0, []))
    worker.kill()


def ended_by_the_program(what, code, ends=True):
    worker, lane = begin()
    check(f"{what}: before", watches(lane), (True, True, True))
    worker(code)
    worker("told.poll(0)")
    check(f"{what}: the credit ends", (lane.is_open(), lane.watched() != 0), (not ends, not ends))
    check(f"{what}: and the supervisor hears", lane.heard(), [RING] if ends else [])
    lane.single()
    worker("told.close()")
    lane.dial()
    check(f"{what}: it accepts", worker("accept(s)"), "ok")
    worker.kill()


def ended():
    ended_by_the_program("registered otherwise", "told.modify(s, 0)")
    ended_by_the_program("taken out", "told.unregister(s)")
    ended_by_the_program("put into another set", "(outer := select.epoll()).register(told, select.EPOLLIN)")
    ended_by_the_program("room for one", "told.poll(0, 1)")
    worker, lane = begin()
    lane.dial()
    check("told", worker("len(told.poll(30))"), 1)
    worker("told.poll(0.001)")
    check("who is told and does not come", (lane.is_open(), lane.watched(), lane.heard()), (False, 0, [RING]))
    worker.kill()
    worker, lane = begin()
    lane.dial()
    worker("os.dup2(os.open('/dev/null', os.O_RDONLY), s.fileno())")
    check("who has closed the lane is not told of it", worker("told.poll(0.05)"), [])
    check("and has no credit", (lane.is_open(), lane.watched()), (False, 0))
    worker.kill()
    worker, lane = begin()
    worker("number = told.fileno()")
    worker("told.close()")
    worker("(told := select.epoll()).register(0, select.EPOLLIN)")
    check("another set of that number", worker("told.fileno() == number"), True)
    lane.dial()
    worker("reading, writing = os.pipe()")
    worker("told.register(reading, select.EPOLLIN)")
    worker("os.write(writing, b'x')")
    check("is waited on for its own", worker("[fd for fd, _ in told.poll(30)] == [reading]"), True)
    check("the credit ends", (lane.is_open(), lane.watched()), (False, 0))
    worker.kill()
    worker, lane = begin()
    worker("os.closerange(900, 1000)")
    lane.dial()
    check("who closes everything", worker("told.poll(0.05)"), [])
    check("has no credit", (lane.is_open(), lane.watched()), (False, 0))
    lane.single()
    check("and asks again", worker("(len(told.poll(30)), accept(s))"), (1, "ok"))
    worker.kill()


def not_begun():
    worker, lane = begin(events=LEVEL | select.EPOLLONESHOT)
    check("one shot", (lane.is_open(), lane.watched(), lane.heard()), (False, 0, [RING]))
    worker.kill()


def edge_triggered():
    worker, lane = begin(events=LEVEL | select.EPOLLET, flags="select.EPOLLIN | select.EPOLLET")
    check("edge-triggered: it watches", watches(lane), (True, True, True))
    clients = [lane.dial() for _ in range(3)]
    check("as many as it likes", worker("(len(told.poll(30)), *[accept(s) for _ in range(4)])"), (1, "ok", "ok", "ok", "EAGAIN"))
    clients.append(lane.dial())
    check("and is told of the next", worker("(len(told.poll(30)), accept(s), accept(s))"), (1, "ok", "EAGAIN"))
    lane.tell_pace(True)
    clients += [lane.dial() for _ in range(2)]
    rounds = [worker("(len(told.poll(30)), accept(s), accept(s))") for _ in range(2)]
    check("one in each round", rounds, [(1, "ok", "EAGAIN")] * 2)
    lane.revoke()
    lane.void()
    check("the end is told", worker("(len(told.poll(30)), accept(s), told.poll(0.05))"), (1, "EAGAIN", []))
    lane.single()
    clients.append(lane.dial())
    check("and a single", worker("(len(told.poll(30)), accept(s))"), (1, "ok"))
    worker.kill()


def children():
    worker, lane = begin()
    lane.dial()
    check("a forked child watches nothing", worker("in_child(lambda: told.poll(0.05))"), [])
    check("and its parent does", worker("(len(told.poll(30)), accept(s))"), (1, "ok"))
    check("as before", (lane.is_open(), lane.heard()), (True, []))
    worker.kill()


def two_lanes():
    worker, first = begin()
    supervisor = first.supervisor
    worker(f"t = listen({free_port()})")
    second = supervisor.lanes[1]
    worker("told.register(t, select.EPOLLIN)")
    second.tell_registration(*worker("(told.fileno(), 25, t.fileno())"))
    second.open(ring=True)
    check("the second", worker("([fd for fd, _ in told.poll(30)] == [t.fileno()], accept(t))"), (True, "EAGAIN"))
    check("both are watched", (watches(first), watches(second)), ((True, True, True), (True, True, True)))
    clients = [first.dial(), first.dial(), second.dial()]
    seen = "sorted(fd for fd, _ in told.poll(30)) == sorted([s.fileno(), t.fileno()])"
    check("both are told of", worker(f"({seen}, accept(s), accept(t))"), (True, "ok", "ok"))
    check("none is forgotten for the other", worker(f"({seen}, accept(t), accept(s))"), (True, "EAGAIN", "ok"))
    second.revoke()
    second.void()
    check("one ends", worker("(len(told.poll(30)), accept(t), accept(s))"), (2, "EAGAIN", "EAGAIN"))
    clients.append(first.dial())
    check("the other stays", worker("([fd for fd, _ in told.poll(30)] == [s.fileno()], accept(s))"), (True, "ok"))
    worker.kill()


def one_each():
    worker, lane = begin()
    lane.tell_pace(True)
    clients = [lane.dial() for _ in range(3)]
    rounds = [worker("(len(told.poll(30)), accept(s), accept(s))") for _ in range(3)]
    check("one in each round, though more wait", rounds, [(1, "ok", "EAGAIN")] * 3)
    check("and nothing is found empty", (watches(lane), lane.found_empty(), lane.heard()), ((True, True, True), 0, []))
    check("the last was the last", worker("told.poll(0.05)"), [])
    clients += [lane.dial() for _ in range(2)]
    check("the next", worker("(len(told.poll(30)), accept(s))"), (1, "ok"))
    lane.tell_pace(False)
    check("as many as it likes again", worker("(accept(s), accept(s))"), ("ok", "EAGAIN"))
    lane.tell_pace(True)
    worker("reading, writing = os.pipe()")
    worker("told.register(reading, select.EPOLLIN)")
    clients.append(lane.dial())
    check("it accepts", worker("(len(told.poll(30)), accept(s))"), (1, "ok"))
    clients.append(lane.dial())
    worker("os.write(writing, b'x')")
    first = worker("[fd for fd, _ in told.poll(30)] == [reading]")
    check("what it has comes before the next connection", first, True)
    both = worker("sorted(fd for fd, _ in told.poll(30)) == sorted([reading, s.fileno()])")
    check("which waits for one round", (both, worker("accept(s)")), (True, "ok"))
    lane.revoke()
    clients.append(lane.dial())
    check("whose credit has ended is not woken", worker("(os.read(reading, 9), told.poll(0.05))[1]"), [])
    check("and watches no more", (lane.watched(), lane.is_empty()), (0, True))
    worker.kill()


accepts()
one_each()
revoked()
ended()
not_begun()
edge_triggered()
children()
two_lanes()
print("failed" if failed else "passed")
