"""Stands in for the supervisor towards one worker, byte for byte: it answers the thunk's requests as told, and sends by a lane
what a test wants to see answered. It decides nothing."""
import array
import ast
import mmap
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

RECORD = 122
CONNECTION, VOID, SINGLE, OPEN = 1, 2, 3, 4
SO_COOKIE = 57
LISTEN, ADOPT, LISTENER, LANE_PAGE = 1, 11, 13, 14
TAKES_CREDIT, NO_CREDIT, RING, EXHAUSTED = 6, 7, 8, 9
NO_CEILING = 2**32 - 1
NO_TICKET = 2**32 - 1
# Where things stand in the page of a lane.
WORD, USED, ACCEPTED, ALLOWANCE, HANDED, RECEIVED, MARKS, PATIENT = 64, 128, 192, 256, 320, 384, 512, 768
DIRECT, CHANGES, WATCHED, EMPTY = 832, 896, 960, 968
COUNTED, NOTES = 1088, 1152
PATIENCE = 30


def record(kind, generation=0):
    return struct.pack("<B3xQ", kind, generation).ljust(RECORD, b"\0")


def raw_address(address):
    return struct.pack("=H", socket.AF_INET) + struct.pack(">H", address[1]) + socket.inet_aton(address[0]) + bytes(8)


class Lane:
    """One lane with its page, and the listening socket behind it."""

    def __init__(self, number, listener):
        self.number, self.listener, self.address = number, listener, listener.getsockname()
        self.end, self.worker_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        name = b"\0clmL" + struct.pack("<QQB", number, 7, 16) + raw_address(self.address)
        self.worker_end.bind(name)
        self.end.setblocking(False)
        self.page_file = os.memfd_create("page")
        os.ftruncate(self.page_file, 4096)
        self.page = mmap.mmap(self.page_file, 4096)
        self.page[:8] = b"clmC" + struct.pack("<I", 2)
        self.generation = 0

    def number_at(self, place, form="<I"):
        return struct.unpack_from(form, self.page, place)[0]

    def used(self):
        return self.number_at(USED)

    def accepted(self):
        return self.number_at(ACCEPTED, "<Q")

    def is_open(self):
        return self.number_at(WORD, "<Q") & 1 == 1

    def be_patient(self, on):
        struct.pack_into("<I", self.page, PATIENT, on)

    def tell_registration(self, epoll, events, data):
        """How the worker's epoll set holds the lane."""
        self.told = getattr(self, "told", 0) + 1
        version = self.told << 32 | self.number_at(CHANGES) + 1
        struct.pack_into("<QQII", self.page, DIRECT, version, data, epoll, events)

    def tell_pace(self, one_each):
        """Whether it accepts one connection in each round of its wait."""
        struct.pack_into("<I", self.page, DIRECT + 24, one_each)

    def watched(self):
        return self.number_at(WATCHED, "<Q")

    def found_empty(self):
        return self.number_at(EMPTY, "<Q")

    def void(self):
        self.end.send(record(VOID))

    def be_counted(self):
        struct.pack_into("<I", self.page, COUNTED, 1)

    def take_notes(self):
        """The kernel's numbers of what was accepted since the last time."""
        noted = [number for number in struct.unpack_from("<256Q", self.page, NOTES) if number]
        self.page[NOTES:NOTES + 8 * 256] = bytes(8 * 256)
        return noted

    def marks(self):
        return [thread for thread in struct.unpack_from("<64I", self.page, MARKS) if thread]

    def single(self, named=True):
        number = self.worker_end.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8)
        self.end.send(record(SINGLE, struct.unpack("<Q", number)[0] if named else 0))

    def open(self, ceiling=NO_CEILING, ring=False, send=True):
        self.generation += 1
        struct.pack_into("<Q", self.page, ALLOWANCE, self.generation << 32 | ceiling)
        struct.pack_into("<Q", self.page, WORD, self.generation << 2 | 1 | (2 if ring else 0))
        if send:
            self.send_open(self.generation)

    def send_open(self, generation):
        self.end.send(record(OPEN, generation))

    def revoke(self):
        struct.pack_into("<Q", self.page, WORD, self.number_at(WORD, "<Q") & ~1)

    def ask_to_ring(self):
        struct.pack_into("<Q", self.page, WORD, self.number_at(WORD, "<Q") | 2)

    def hand_over(self):
        self.listener.setblocking(True)
        connection, peer = self.listener.accept()
        self.listener.setblocking(False)
        struct.pack_into("<I", self.page, HANDED, self.number_at(HANDED) + 1)
        head = struct.pack("<BBBxII", CONNECTION, 0, 16, NO_TICKET, 0)
        socket.send_fds(self.end, [(head + raw_address(peer)).ljust(RECORD, b"\0")], [connection.fileno()])
        connection.close()

    def heard(self):
        """What the worker has sent since this was last asked."""
        told = []
        while True:
            try:
                word = self.end.recv(3)
            except BlockingIOError:
                return told
            # Of O_NONBLOCK and the wait nothing is tested.
            if word[0] >= TAKES_CREDIT:
                told.append((word[0], word[1]) if word[0] == EXHAUSTED else word[0])

    def is_empty(self):
        return not select.select([self.worker_end], [], [], 0)[0]

    def dial(self):
        client = socket.socket()
        client.settimeout(PATIENCE)
        client.connect(self.address)
        return client


class Supervisor:
    """Answers on the request socket."""

    def __init__(self):
        self.lanes, self.asked, self.gives_credit, self.adopts = [], [], True, False
        self.name = f"clustermon-stand-in-{os.getpid()}-{id(self)}"
        self.requests = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.requests.bind("\0" + self.name)
        self.requests.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def environment(self, thunk):
        spaces = [os.stat(f"/proc/self/ns/{space}").st_ino for space in ("pid", "user")]
        own = {
            "CLUSTERMON_SOCKET": self.name,
            "CLUSTERMON_TOKEN": "ab" * 16,
            "CLUSTERMON_SUPERVISOR": ":".join(map(str, [os.getpid(), os.getuid(), *spaces])),
            "LD_PRELOAD": thunk,
        }
        return {**os.environ, **own}

    def serve(self):
        while True:
            link, _ = self.requests.accept()
            with link:
                frame, files, _, _ = socket.recv_fds(link, 4096, 1)
                if frame:
                    self.answer(link, struct.unpack_from("<H", frame, 6)[0], frame[28:], files)

    def answer(self, link, kind, fields, files):
        def reply(kind, fields=b"", file=None):
            frame = b"clmR" + struct.pack("<HH", 2, kind) + fields
            socket.send_fds(link, [frame], [] if file is None else [file])

        self.asked.append(kind)
        lane = next((lane for lane in self.lanes if lane.number == int.from_bytes(fields[:8], "little")), None)
        if kind == LISTEN:
            given = socket.socket(fileno=files[0])
            same = [lane.listener for lane in self.lanes if lane.address == given.getsockname()]
            if not same:
                given.setblocking(False)
                given.listen(128)
            reply(*self.new_lane(same[0] if same else given))
        elif kind == ADOPT and self.adopts:
            reply(*self.new_lane(lane.listener))
        elif kind == ADOPT:
            reply(1, struct.pack("<i", 11))
        elif kind == LISTENER and self.gives_credit:
            reply(8, file=lane.listener.fileno())
        elif kind == LANE_PAGE:
            reply(7, file=lane.page_file)
        else:
            reply(4)

    def new_lane(self, listener):
        lane = Lane(len(self.lanes) + 1, listener)
        lane.supervisor = self
        self.lanes.append(lane)
        return 2, struct.pack("<Q", lane.number), lane.worker_end.fileno()

    def asked_for_credit(self):
        asked = [kind for kind in self.asked if kind in (LISTENER, LANE_PAGE)]
        self.asked.clear()
        return asked


class Worker:
    """A program that does what it is told, line by line: driven.py. `tool` starts it."""

    def __init__(self, supervisor, thunk, tool=()):
        program = os.path.join(os.path.dirname(__file__), "driven.py")
        self.process = subprocess.Popen(
            [*tool, sys.executable, program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=supervisor.environment(thunk),
            text=True,
        )

    def begin(self, code):
        self.process.stdin.write(repr(code) + "\n")
        self.process.stdin.flush()

    def end(self):
        """What the code came to that was begun."""
        return ast.literal_eval(self.process.stdout.readline())

    def is_done(self, seconds):
        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def __call__(self, code):
        self.begin(code)
        return self.end()

    def kill(self):
        # It ends with its input, and with it the tool that has started it.
        self.process.stdin.close()
        self.process.wait(PATIENCE)


def wait_until(what, question):
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.001)
