"""The contract as an ASGI application. It knows no listener."""
import asyncio
from types import SimpleNamespace
from urllib.parse import parse_qs

import contract


async def app(scope, receive, send):
    # No lifespan: a server must do without.
    assert scope["type"] == "http"
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = SimpleNamespace(
        method=scope["method"],
        path=scope["path"],
        query={name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()},
        body=body,
    )
    await asyncio.sleep(contract.delay(request))
    status, body = contract.answer(request, [])
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
