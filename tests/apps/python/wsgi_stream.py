"""wsgi.py with /stream besides: `python3 -m gunicorn -c gunicorn.conf.py wsgi_stream:app`."""
import time
from types import SimpleNamespace
from urllib.parse import parse_qs

import contract
import wsgi


def stream(pause, pieces):
    # An empty piece sends the head.
    yield b""
    for _ in range(pieces):
        time.sleep(pause)
        yield b"x"


def app(environ, start_response):
    if environ["PATH_INFO"] != "/stream":
        return wsgi.app(environ, start_response)
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    pause, pieces = contract.pieces(SimpleNamespace(query=query))
    start_response("200 OK", [("Content-Length", str(pieces))])
    return stream(pause, pieces)
