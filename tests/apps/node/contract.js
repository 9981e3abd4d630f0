'use strict';
// The requests every program here answers, for servers that parse HTTP themselves.
const fs = require('fs');

const who = () => `pid=${process.pid} id=${process.env.PROCESS_LOGICAL_ID ?? ''}\n`;

const listenOptions = () => {
  const path = process.env.UNIX_PATH;
  if (path) return { path: path.startsWith('@') ? '\0' + path.slice(1) : path };
  const host = process.env.HOST ?? '127.0.0.1';
  const port = Number(process.env.PORT ?? 8080);
  return host === '' ? { port } : { port, host };
};

const addressText = (server) => {
  const address = server.address();
  if (address === null) return 'none\n';
  if (typeof address === 'string') return address.replace(/^\0/, '@') + '\n';
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `${host}:${address.port}\n`;
};

// Calls reply(status, body, after) exactly once, unless the process is told to exit. `after` runs once it is written.
function handle(server, again, method, url, body, reply) {
  const { pathname, searchParams } = new URL(url, 'http://x');
  switch (`${method} ${pathname}`) {
    case 'GET /':
      return reply(200, who());
    case 'GET /slow':
      return setTimeout(() => reply(200, who()), Number(searchParams.get('ms')));
    case 'GET /spin': {
      const until = searchParams.get('until');
      const begin = Date.now();
      fs.writeSync(1, until ? `spinning since ${begin}\n` : 'spinning\n');
      const end = begin + Number(searchParams.get('ms'));
      while (until ? !fs.existsSync(until) : Date.now() < end) {}
      return reply(200, who());
    }
    case 'GET /exit':
      return process.exit(Number(searchParams.get('code')));
    case 'POST /echo':
      return reply(200, body);
    case 'GET /port':
      return reply(200, addressText(server));
    case 'GET /close-listener':
      return reply(200, 'closed\n', () => server.listening && again.close());
    case 'GET /listen-again':
      return server.listen(again.options, () => reply(200, 'listening\n'));
    default:
      return reply(404, 'no such page\n');
  }
}

module.exports = { who, listenOptions, handle };
