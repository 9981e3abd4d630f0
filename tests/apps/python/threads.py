"""http.server with a thread per connection."""
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import contract


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def reply(self):
        url = urlsplit(self.path)
        request = SimpleNamespace(
            method=self.command,
            path=url.path,
            query={name: values[0] for name, values in parse_qs(url.query).items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
        )
        if url.path == "/stream":
            return self.stream(request)
        time.sleep(contract.delay(request))
        status, body = contract.answer(request, [self.server.socket])
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = reply

    def stream(self, request):
        pause, pieces = contract.pieces(request)
        self.send_response(200)
        self.send_header("Content-Length", str(pieces))
        self.end_headers()
        for _ in range(pieces):
            time.sleep(pause)
            self.wfile.write(b"x")

    def log_message(self, *_):
        pass

    def address_string(self):
        return ""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self):
        # HTTPServer's own version looks up the host's name, which a unix socket has not.
        if self.address_family == socket.AF_UNIX:
            self.socket.bind(self.server_address)
        else:
            super().server_bind()


def main():
    path = contract.unix_path()
    address = path or contract.host_port()
    if path:
        Server.address_family = socket.AF_UNIX
    elif ":" in address[0]:
        Server.address_family = socket.AF_INET6
    Server(address, Handler).serve_forever()


main()
