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

// The head at once, then `pieces` bytes at equal distances, the last after `ms` milliseconds.
function stream(response, query) {
  const [ms, pieces] = [Number(query.get('ms')), Number(query.get('pieces'))];
  response.writeHead(200, { 'Content-Length': pieces });
  response.flushHeaders();
  let left = pieces;
  const timer = setInterval(() => {
    left -= 1;
    if (left > 0) return response.write('x');
    clearInterval(timer);
    response.end('x');
  }, ms / pieces);
}

const leaked = [];

// Pages that the other programs of Node have not. Whether it was one.
function own(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://x');
  if (pathname === '/stream') {
    stream(response, searchParams);
  } else if (pathname === '/leak') {
    leaked.push(Buffer.alloc(Number(searchParams.get('mb')) * 1024 * 1024, 1));
    response.writeHead(200, { 'Content-Length': 7 });
    response.end('leaked\n');
  } else {
    return false;
  }
  return true;
}

const server = http.createServer((request, response) => {
  if (own(request, response)) return;
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
