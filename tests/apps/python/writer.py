"""Writes what it is asked to: `GET /out/TEXT` a line to stdout, `GET /err/TEXT` one to stderr, `GET /flood/N` N lines of 100 letters to
stdout. As it starts it writes `up` to both."""
import http.server
import os
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, what, text = self.path.split("/", 2)
        if what == "flood":
            for number in range(int(text)):
                sys.stdout.write(f"{number:0>100}\n")
            sys.stdout.flush()
        else:
            print(text, file=sys.stdout if what == "out" else sys.stderr, flush=True)
        answer = os.environ.get("PROCESS_LOGICAL_ID", "-").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = http.server.HTTPServer((os.environ.get("HOST", "127.0.0.1"), int(os.environ["PORT"])), Handler)
for stream in (sys.stdout, sys.stderr):
    print("up", file=stream, flush=True)
server.serve_forever()
