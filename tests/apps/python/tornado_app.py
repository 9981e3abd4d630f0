"""Tornado's HTTPServer."""
import asyncio
from types import SimpleNamespace

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

import contract

sockets = []


class Handler(RequestHandler):
    async def reply(self):
        request = SimpleNamespace(
            method=self.request.method,
            path=self.request.path,
            query={name: values[0].decode() for name, values in self.request.query_arguments.items()},
            body=self.request.body,
        )
        await asyncio.sleep(contract.delay(request))
        status, body = contract.answer(request, sockets)
        self.set_status(status)
        self.finish(body)

    get = post = reply

    def log_request(self):
        pass


async def main():
    host, port = contract.host_port()
    sockets.extend(bind_sockets(port, host))
    server = HTTPServer(Application([("/.*", Handler)], log_function=lambda _: None))
    server.add_sockets(sockets)
    await asyncio.Event().wait()


asyncio.run(main())
