// Says which worker has answered. Node's own `cluster` is not needed: clustermon starts the copies.
const http = require('http');

const server = http.createServer((request, response) => {
  response.end(`pid=${process.pid} id=${process.env.PROCESS_LOGICAL_ID}\n`);
});

server.listen(Number(process.env.PORT || 8080), process.env.HOST || '0.0.0.0');
process.on('SIGTERM', () => server.close(() => process.exit(0)));
