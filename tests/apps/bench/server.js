// An ordinary Node server, started by itself, under a supervisor, or as a worker of cluster.js. GET /burn/N keeps its
// event loop busy for N milliseconds first.
const http = require('http');

const body = `pid=${process.pid}\n`;
http.createServer((request, response) => {
  if (request.url.startsWith('/burn/')) {
    const end = performance.now() + Number(request.url.slice(6));
    while (performance.now() < end);
  }
  response.setHeader('Content-Length', body.length);
  response.end(body);
}).listen(Number(process.env.PORT), '127.0.0.1');
