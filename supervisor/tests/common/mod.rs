//! What the tests of the library share: the server that they run, and how long they wait. They are several binaries because
//! each looks at its whole process.

use std::path::PathBuf;
use std::time::Duration;

/// Nothing takes this long, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// The bundled demo server, which cargo builds with the tests.
pub(crate) fn demo() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.push("examples/demo-worker");
    assert!(path.is_file(), "{} is not built: run the tests of the whole package", path.display());
    path
}
