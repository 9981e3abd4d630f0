//! Commands that are run when something happens in a cluster, and those that have to allow a start or a reload.

/// What they are told, and when.
mod events;
/// What holds up a start or a reload.
mod gates;
/// Those that do what they should not: none of it harms the cluster.
mod limits;
/// What they are started with.
mod surroundings;
/// The example of a webhook.
mod webhook;

use harness::{Options, TempDir, wait_for};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A folder with scripts for `sh`, and what these write.
pub(crate) struct Scripts(TempDir);

impl Scripts {
    pub(crate) fn new() -> Self {
        Self(TempDir::new())
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command of a script with this text. The folder is `$1` in it.
    pub(crate) fn command(&self, name: &str, text: &str) -> String {
        let path = self.at(name);
        fs::write(&path, text).expect("the folder is ours");
        format!("sh {} {}", path.display(), self.0.path().display())
    }

    /// One that notes what it is told in a file under its name.
    pub(crate) fn noting(&self, name: &str) -> String {
        self.command(&format!("{name}.sh"), &format!("exec cat >> \"$1/{name}\"\n"))
    }

    /// What was written there so far.
    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_default()
    }

    /// The complete lines there, as JSON.
    pub(crate) fn told(&self, name: &str) -> Vec<serde_json::Value> {
        let text = self.text(name);
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }

    /// Waits for one that is as wanted.
    #[track_caller]
    pub(crate) fn wait_for(
        &self,
        name: &str,
        limit: Duration,
        is_wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        wait_for(&format!("{name} is told"), limit, || self.told(name).into_iter().find(&is_wanted))
    }
}

/// Has the command run on this event.
pub(crate) fn on(options: Options, event: &str, command: &str) -> Options {
    options.word("--on").word(format!("{event}={command}"))
}
