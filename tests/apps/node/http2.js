'use strict';
// HTTP/2 without TLS, by clients that know it.
const http2 = require('http2');
const { listenOptions, handle } = require('./contract');

const server = http2.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    handle(server, null, request.method, request.url, Buffer.concat(chunks), (status, body) => {
      response.writeHead(status);
      response.end(body);
    });
  });
});
server.listen(listenOptions());
