//! Whether requests get lost while a cluster changes: clients that account for every request they make, the ways in
//! which a cluster can change, and the table of cases. The clients know no more than a client can.

mod cases;
mod changing;
mod client;
mod ending;
mod killing;
mod mix;
mod orders;
mod peers;
mod rolling;
mod row;
mod subject;
mod tally;
mod tools;
mod traffic;
mod wire;

pub use cases::{CASES, Case, Extent};
pub use changing::{memory, recycle, scale};
pub use ending::stop;
pub use killing::kill;
pub use mix::Mix;
pub use rolling::{Promise, broken, reload};
pub use row::{HEAD, Row};
pub use subject::Subject;
pub use tally::{Counts, End, Incident, Kind, Tally};
pub use traffic::Traffic;
