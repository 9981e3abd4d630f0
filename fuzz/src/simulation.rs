//! Turns arbitrary bytes into a history of a cluster: the event loop with the core inside, under the simulated operating system of the
//! supervisor's own tests. What the bytes do not choose follows from them.

/// The target.
pub fn simulation(data: &[u8]) {
    clustermon::simulation::run_bytes(data);
}
