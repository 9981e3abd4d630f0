// The rival: the same server in N processes by Node's own cluster module, round-robin.
const cluster = require('cluster');
const path = require('path');

cluster.schedulingPolicy = cluster.SCHED_RR;
cluster.setupPrimary({ exec: path.join(__dirname, 'server.js') });
for (let i = 0; i < Number(process.env.FORK); i++) cluster.fork();
