"""What a supervisor must bear from anybody who can reach its request socket: attack.py MODE [ARG], with the socket's name
in CLUSTERMON_SOCKET and a token in CLUSTERMON_TOKEN. Prints what came of it, as name=count."""
import array
import errno
import os
import random
import resource
import socket
import struct
import sys
import time

NAME = "\0" + os.environ["CLUSTERMON_SOCKET"]
TOKEN = bytes.fromhex(os.environ.get("CLUSTERMON_TOKEN", "00" * 16))
LISTEN, OWNS, OWNED_NAME, SET_OPTION, GET_OPTION, ATTACH = 1, 3, 4, 6, 7, 10
EADDRINUSE = 98


# Seconds, so that nobody waits for ever: on a busy machine an answer may take long.
LIMIT = 240


def connect():
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.settimeout(LIMIT)
    link.connect(NAME)
    return link


def frame(kind, body, token=None):
    return b"clmR" + struct.pack("<HH", 2, kind) + (token or TOKEN) + struct.pack("<I", os.getpid()) + body


def sent(link, data, descriptors=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    try:
        link.sendmsg([data], rights)
    except OSError as error:
        # Of descriptors under way nobody but root may have more than open ones; these wait for a busy supervisor.
        if error.errno != errno.ETOOMANYREFS:
            raise
        link.sendmsg([data])


def ask(data, descriptors=()):
    """The kind of the reply, and its number if it has one."""
    with connect() as link:
        sent(link, data, descriptors)
        try:
            reply = link.recv(4096)
        except ConnectionResetError:
            return None
    if not reply:
        return None
    return struct.unpack_from("<H", reply, 6)[0], struct.unpack_from("<i", reply, 8)[0] if len(reply) >= 12 else 0


def listen_body():
    return struct.pack("<iiQQH", 3, 128, 0, 0, 0)


def bound():
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    return own


def garbage(count):
    own = bound()
    for number in range(count):
        tail = random.randbytes(random.randrange(3000))
        data = random.choice((tail or b"x", frame(random.randrange(16), tail), frame(LISTEN, tail[:20])))
        with connect() as link:
            # Of many descriptors only one can be taken.
            sent(link, data, [own.fileno()] * random.choice((0, 1, 1, 200)))
    print(f"sent={count}")


def connects(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    held, made = [], 0
    while made < count:
        if len(held) >= (min(hard - 50, 4000) if hard > 0 else 4000):
            held.pop(0).close()
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.setblocking(False)
        try:
            link.connect(NAME)
            held.append(link)
            made += 1
        except BlockingIOError:
            link.close()
            time.sleep(0.001)
    print(f"made={made}")
    sys.stdout.flush()
    # Held until the other side has seen enough.
    sys.stdin.read()


def tokens(count):
    own = bound()
    wrong = lambda: random.randbytes(16)
    told = [ask(frame(LISTEN, listen_body(), wrong()), [own.fileno()]) for _ in range(count)]
    # Another user gets no answer at all.
    print(f"refused={sum(reply in ((1, EADDRINUSE), None) for reply in told)}")


def other(token):
    """With the token of another worker, whose listeners these then would be."""
    theirs, own = bytes.fromhex(token), bound()
    requests = [
        (frame(LISTEN, listen_body(), theirs), [own.fileno()]),
        (frame(OWNED_NAME, struct.pack("<Q", 1), theirs), []),
        (frame(GET_OPTION, struct.pack("<QiiI", 1, socket.SOL_SOCKET, socket.SO_RCVBUF, 4), theirs), []),
        (frame(ATTACH, b"", theirs), []),
    ]
    told = [ask(*request) for request in requests * 10]
    print(f"refused={sum(reply == (1, EADDRINUSE) for reply in told)}")


def options(lanes):
    """With the own token, on everybody's lanes."""
    value = struct.pack("<H", 4) + struct.pack("<i", 1)
    done = 0
    for lane in range(lanes):
        told = ask(frame(SET_OPTION, struct.pack("<Qii", lane, socket.SOL_SOCKET, socket.SO_KEEPALIVE) + value))
        done += told == (1, 0)
    print(f"done={done}")


def owns(count):
    """Each is an address that nobody has, and of which somebody might be told that a stranger has it."""
    not_owned = 0
    for number in range(count):
        address = struct.pack("<H", 2) + struct.pack(">H", 1 + number % 60000) + bytes([127, 0, 0, 1]) + bytes(8)
        told = ask(frame(OWNS, struct.pack("<QH", 1, len(address)) + address + struct.pack("<QQH", 0, 0, 0)))
        not_owned += told is not None and told[0] == 4
    print(f"not_owned={not_owned}")


def listeners(count):
    """Through the thunk, as a program would."""
    held, failed = [], 0
    for number in range(count):
        one = socket.socket(socket.AF_UNIX)
        one.bind(f"\0attack-{os.getpid()}-{number}")
        try:
            one.listen(8)
        except OSError:
            failed += 1
        held.append(one)
    print(f"failed={failed}")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    mode, argument = sys.argv[1:]
    globals()[mode](argument if mode == "other" else int(argument))
