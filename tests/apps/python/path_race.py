"""Two workers, 0 and 1, that bind one path in an awkward order: 1 removes the file of 0 and makes its own before 0 listens,
and listens last. `UNIX_PATH` is the path; files beside it tell each what the other has done."""
import os
import socket
import time

import contract

path = os.environ["UNIX_PATH"]
first = os.environ["PROCESS_LOGICAL_ID"] == "0"


def done(what):
    open(f"{path}.{what}", "x").close()


def wait_for(what):
    while not os.path.exists(f"{path}.{what}"):
        time.sleep(0.005)


listener = socket.socket(socket.AF_UNIX)
if not first:
    wait_for("bound")
    os.unlink(path)
listener.bind(path)
done("bound" if first else "rebound")
wait_for("rebound" if first else "listened")
listener.listen(64)
if first:
    done("listened")
contract.bound_socket = lambda: listener

import blocking  # noqa: E402  (it takes the socket)

blocking.main(blocking.accept)
