//! One thing that is wrong with a file, and where in its text. Plain data.

use std::ops::Range;

/// Bytes of the text.
pub(crate) type Span = Range<usize>;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) span: Span,
    /// The fault in a few words: "unknown key `wrokers`".
    pub(crate) what: String,
    /// What is to be said at the place itself: why, or what to write instead. May be empty.
    pub(crate) advice: String,
    /// The text is no TOML there.
    pub(crate) is_syntax: bool,
}

impl Fault {
    pub(super) fn new(span: Span, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { span, what: what.into(), advice: advice.into(), is_syntax: false }
    }
}
