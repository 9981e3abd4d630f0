'use strict';
// The http module as everybody uses it.
const http = require('http');
const net = require('net');
const { listenOptions, handle } = require('./contract');

const again = {
  options: listenOptions(),
  // http's own close() also ends idle connections; the contract leaves them open.
  close() {
    const address = server.address();
    if (address && typeof address === 'object') again.options = { ...again.options, port: address.port };
    net.Server.prototype.close.call(server);
  },
};

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    handle(server, again, request.method, request.url, Buffer.concat(chunks), (status, body, after) => {
      response.writeHead(status, { 'Content-Length': Buffer.byteLength(body) });
      response.end(body, after);
    });
  });
});
server.keepAliveTimeout = 0;
server.listen(again.options);
// An ordinary graceful end, which needs an event loop that turns.
if (process.env.GRACEFUL) process.on('SIGTERM', () => server.close());
