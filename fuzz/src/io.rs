//! The decoders of the control socket, compiled in under the paths that they have in the supervisor.

pub(crate) mod control;
mod output;
