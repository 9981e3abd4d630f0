'use strict';
// The server runs in a worker thread, beside a main thread that has nothing to do.
const { Worker, isMainThread } = require('worker_threads');

if (isMainThread) new Worker(__filename);
else require('./http');
