'use strict';
// A raw net server that writes before it reads.
const { who } = require('./contract');
require('./raw')(() => 'hello ' + who());
