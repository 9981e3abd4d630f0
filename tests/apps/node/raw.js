'use strict';
// HTTP over the net module: a server that sees only bytes.
const net = require('net');
const { handle, listenOptions } = require('./contract');

// `greeting`, if given, is written as soon as a connection arrives.
module.exports = function start(greeting) {
  const again = {
    options: listenOptions(),
    close() {
      const address = server.address();
      if (address && typeof address === 'object') again.options = { ...again.options, port: address.port };
      server.close();
    },
  };

  const server = net.createServer((socket) => {
    let input = Buffer.alloc(0);
    let busy = false;
    socket.on('error', () => socket.destroy());
    if (greeting) socket.write(greeting());

    const next = () => {
      if (busy) return;
      const end = input.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = input.toString('latin1', 0, end);
      const [method, url] = head.split(' ', 2);
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (input.length < end + 4 + length) return;
      const body = input.subarray(end + 4, end + 4 + length);
      input = input.subarray(end + 4 + length);
      busy = true;
      handle(server, again, method, url, body, (status, answer, after) => {
        const bytes = Buffer.from(answer);
        socket.write(`HTTP/1.1 ${status} x\r\nContent-Length: ${bytes.length}\r\n\r\n`);
        socket.write(bytes, after);
        if (/^connection: *close/im.test(head)) socket.end();
        busy = false;
        next();
      });
    };
    socket.on('data', (chunk) => {
      input = Buffer.concat([input, chunk]);
      next();
    });
  });
  server.listen(again.options);
};
