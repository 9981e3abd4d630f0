'use strict';
// A raw net server.
require('./raw')();
