//! Whether requests get lost while a cluster changes: clients that account for every request they make, the ways in
//! which a cluster can change, and the table of cases. The clients know no more than a client can.

mod cases;
mod changing;
mod clients;
mod ending;
mod killing;
mod orders;
mod peers;
mod rolling;
mod row;
mod subject;
mod tools;
mod traffic;

pub use cases::{CASES, Case, Extent};
pub use changing::{memory, recycle, scale};
pub use clients::mix::Mix;
pub use clients::tally::{Counts, End, Incident, Kind, Tally};
pub use ending::stop;
pub use killing::kill;
pub use rolling::{Promise, broken, reload};
pub use row::{HEAD, Row};
pub use subject::Subject;
pub use traffic::Traffic;
