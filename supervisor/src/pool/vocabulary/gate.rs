//! What may begin only once a command of the user's has allowed it. Plain data.

/// A beginning that is held up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The cluster starts its first workers.
    Start,
    /// The reload with this number starts processes of this version.
    Reload { ticket: u64, version: u32 },
}

/// Which of them have such a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gates {
    pub start: bool,
    pub reload: bool,
}
