//! The parts of the pool that know addresses and lanes as they open and close, who is in rotation, and which connection is for whom. They give
//! no credit.

mod lane_lifecycle;
mod listening;
mod rotation;
mod sharing;
mod traffic;
