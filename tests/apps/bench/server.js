// An ordinary Node server, started by itself, under a supervisor, or as a worker of cluster.js.
const http = require('http');

const body = `pid=${process.pid}\n`;
http.createServer((request, response) => {
  response.setHeader('Content-Length', body.length);
  response.end(body);
}).listen(Number(process.env.PORT), '127.0.0.1');
