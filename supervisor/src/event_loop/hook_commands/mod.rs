//! Commands of the user's that are run when something happens, and those that have to allow a start or a reload. The core says what is held
//! up; `io/hook_commands` runs them.

mod asking;
mod finishing;
mod running;
pub(super) mod state;

pub(super) use state::HookCommands;
