"""asyncio.start_server; with HOST empty it binds IPv4 and IPv6."""
import asyncio

import contract

server = None
port = None
leaked = []


async def listen():
    global server, port
    path = contract.unix_path()
    if path:
        server = await asyncio.start_unix_server(serve, path)
        return
    host, wanted = contract.host_port()
    server = await asyncio.start_server(serve, host or None, port or wanted)
    port = server.sockets[0].getsockname()[1]


async def stream(writer, request):
    pause, pieces = contract.pieces(request)
    writer.write(contract.response(200, b"", pieces))
    await writer.drain()
    for _ in range(pieces):
        await asyncio.sleep(pause)
        writer.write(b"x")
        await writer.drain()


async def serve(reader, writer):
    buffer = bytearray()
    try:
        while True:
            request = contract.take_request(buffer)
            if request is None:
                chunk = await reader.read(65536)
                if not chunk:
                    return
                buffer += chunk
                continue
            after = None
            if request.path == "/close-listener":
                status, body, after = 200, b"closed\n", server.close
            elif request.path == "/listen-again":
                await listen()
                status, body = 200, b"listening\n"
            elif request.path == "/stream":
                await stream(writer, request)
                if request.close:
                    return
                continue
            elif request.path == "/leak":
                leaked.append(bytes([1]) * (int(request.query["mb"]) << 20))
                status, body = 200, b"leaked\n"
            else:
                await asyncio.sleep(contract.delay(request))
                status, body = contract.answer(request, server.sockets)
            writer.write(contract.response(status, body))
            await writer.drain()
            if after:
                after()
            if request.close:
                return
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    await listen()
    # Not serve_forever(): that ends with the listener.
    await asyncio.Event().wait()


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
