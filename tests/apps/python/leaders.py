"""Leader and followers: the thread that has accepted a connection starts the next that accepts, serves, and ends."""
import threading
import time

import contract

listener = contract.bound_socket()


def lead():
    connection = listener.accept()[0]
    threading.Thread(target=lead, daemon=True).start()
    with connection:
        try:
            for request in contract.requests(connection):
                time.sleep(contract.delay(request))
                connection.sendall(contract.response(*contract.answer(request, [listener])))
        except ConnectionError:
            pass


threading.stack_size(256 * 1024)
threading.Thread(target=lead, daemon=True).start()
threading.Event().wait()
