'use strict';
// A program that runs two processes by Node's own cluster module. SHARED=1 lets them accept by themselves instead of
// being handed connections by their primary.
const cluster = require('cluster');

if (process.env.SHARED) cluster.schedulingPolicy = cluster.SCHED_NONE;
if (cluster.isPrimary) {
  cluster.fork();
  cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  require('./http');
}
