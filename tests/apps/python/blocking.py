"""A plain blocking accept loop: one connection at a time, to its end."""
import time

import contract

listener = contract.bound_socket()


def serve(connection):
    buffer = bytearray()
    while True:
        request = contract.take_request(buffer)
        if request is None:
            chunk = connection.recv(65536)
            if not chunk:
                return
            buffer += chunk
            continue
        time.sleep(contract.delay(request))
        connection.sendall(contract.response(*contract.answer(request, [listener])))
        if request.close:
            return


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
