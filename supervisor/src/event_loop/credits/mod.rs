//! The connection path by credit: workers accept by themselves, and are told when they may. Who may is the core's to say; no connection passes
//! through here.

mod accepters;
mod granting;
mod queues;
mod stalled;
mod words;
