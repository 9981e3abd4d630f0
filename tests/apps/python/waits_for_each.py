"""One connection at a time by a blocking accept(), but for the bytes of each connection it waits by WAIT first: timeout, poll,
select, epoll, or nothing at all. FDS=N leaves so many descriptors open, of 256. Closes each connection after one answer."""
import os
import resource
import select
import time

import contract

wait = os.environ.get("WAIT", "nothing")
spare = int(os.environ.get("FDS", 0))
if spare:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    kept = [os.open("/dev/null", os.O_RDONLY) for _ in range(spare)]


def until_readable(connection):
    if wait == "timeout":
        connection.settimeout(5)
    elif wait == "poll":
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        poll.poll(5000)
    elif wait == "select":
        select.select([connection], [], [], 5)
    elif wait == "epoll":
        with select.epoll() as epoll:
            epoll.register(connection, select.EPOLLIN)
            epoll.poll(5)


listener = contract.bound_socket()
while True:
    connection = listener.accept()[0]
    with connection:
        try:
            until_readable(connection)
            for request in contract.requests(connection):
                time.sleep(contract.delay(request))
                connection.sendall(contract.response(*contract.answer(request, [listener])))
                break
        except OSError:
            pass
