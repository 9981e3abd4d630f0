//! The parts of the pool that know addresses and lanes as they open and close, who is in rotation, and what each lane is given. They open no
//! socket and touch no connection: they name them.

mod lane_lifecycle;
mod listening;
mod rotation;
mod sharing;
mod traffic;
