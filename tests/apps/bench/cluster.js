// The rival: the same server in N processes by Node's own cluster module, round-robin. With the argument `shared` all of
// them accept on one socket instead, and the kernel chooses.
const cluster = require('cluster');
const path = require('path');

cluster.schedulingPolicy = process.argv[2] === 'shared' ? cluster.SCHED_NONE : cluster.SCHED_RR;
cluster.setupPrimary({ exec: path.join(__dirname, 'server.js') });
for (let i = 0; i < Number(process.env.FORK); i++) cluster.fork();
