//! The ids by which the simulator names things, under the path at which it looks for them.

pub(crate) use clustermon::ids::*;
