"""An ordinary Python server on PORT, started by itself with FORK workers of its own, or under a supervisor: `python_server.py NAME`, where
NAME is uvicorn, granian or gunicorn. It becomes that program."""
import os
import sys


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    body = f"pid={os.getpid()}\n".encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ, start_response):
    body = f"pid={os.getpid()}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def main(name):
    here = os.path.dirname(os.path.abspath(__file__))
    port, workers = os.environ["PORT"], os.environ.get("FORK") or "1"
    os.environ["PYTHONPATH"] = here
    if name == "uvicorn":
        quiet = ["--log-level", "warning", "--no-access-log", "--lifespan", "off"]
        words = ["-m", "uvicorn", "python_server:asgi", "--host", "127.0.0.1", "--port", port, "--workers", workers, *quiet]
    elif name == "granian":
        words = ["-m", "granian", "python_server:asgi", "--interface", "asginl", "--host", "127.0.0.1", "--port", port, "--workers",
                 workers, "--http", "1", "--no-ws", "--log-level", "warning"]
    else:
        words = ["-m", "gunicorn", "python_server:wsgi", "--bind", f"127.0.0.1:{port}", "--workers", workers]
    os.execv(sys.executable, [sys.executable, *words])


if __name__ == "__main__":
    main(sys.argv[1])
