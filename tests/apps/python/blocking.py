"""A plain blocking accept loop: one connection at a time, to its end."""
import time

import contract

listener = contract.bound_socket()


def serve(connection):
    for request in contract.requests(connection):
        time.sleep(contract.delay(request))
        connection.sendall(contract.response(*contract.answer(request, [listener])))


def accept():
    return listener.accept()[0]


def main(accept):
    while True:
        connection = accept()
        try:
            serve(connection)
        except ConnectionError:
            pass
        finally:
            connection.close()


if __name__ == "__main__":
    main(accept)
