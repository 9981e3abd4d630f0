//! What is printed: to a locked standard output, in colours only where somebody looks at it. A reader that went away ends
//! the program in silence.

use crate::cli::output::failed::Failed;
use crate::io::output::destination::has_colours;
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Prints the text as it is.
pub(in crate::cli) fn print(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failed::silent(0),
        _ => Failed::new(1, format!("cannot write to standard output: {error}")),
    })
}

pub(in crate::cli) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether colours are wanted: a terminal that has some, and NO_COLOR not set (<https://no-color.org>).
pub(in crate::cli) fn colours() -> bool {
    has_colours(&io::stdout())
}

/// The same for what is wrong.
pub(in crate::cli) fn colours_of_stderr() -> bool {
    has_colours(&io::stderr())
}
