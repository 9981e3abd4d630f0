//! The test programs: where they are, how each is to be started, and what every one of them answers. None is started here.

pub(crate) mod apps;
pub(crate) mod contract;
pub(crate) mod options;
pub(crate) mod places;
pub(crate) mod spread;
