//! Placeholder of the blocking test server.
fn main() {}
