"""select(), then a blocking accept(): the pattern that hangs when a connection vanishes in between."""
import select

import blocking


def accept():
    while True:
        select.select([blocking.listener], [], [])
        try:
            return blocking.listener.accept()[0]
        except ConnectionAbortedError:
            pass


blocking.main(accept)
