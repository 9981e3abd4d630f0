"""The contract as a WSGI application, for servers that parse HTTP themselves. It knows no listener."""
import time
from types import SimpleNamespace
from urllib.parse import parse_qs

import contract


def app(environ, start_response):
    request = SimpleNamespace(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query={name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()},
        body=environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
    )
    time.sleep(contract.delay(request))
    status, body = contract.answer(request, [])
    start_response(f"{status} x", [("Content-Length", str(len(body)))])
    return [body]
