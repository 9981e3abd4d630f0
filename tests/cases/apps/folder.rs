//! A folder with a file of apps, and the commands that are given there.

use harness::{Said, TempDir, cli, cli_command};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};

/// A folder with a file of apps, which are all ended at the end of the test.
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new(text: &str) -> Self {
        let folder = TempDir::new();
        fs::write(folder.path().join("clustermon.toml"), text).expect("the folder is ours");
        Self(folder)
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    /// `clustermon WORDS` in the folder.
    pub(super) fn say(&self, words: &str) -> Said {
        let output = cli_command(self.path(), words).current_dir(self.path()).output().expect("it starts");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// `clustermon up`, which writes to a file.
    pub(super) fn foreground(&self) -> Child {
        let log = File::create(self.path().join("log")).expect("the folder is ours");
        let mut command = cli_command(self.path(), "up");
        let output = log.try_clone().expect("a descriptor is left");
        command.current_dir(self.path()).stdin(Stdio::null()).stdout(output).stderr(log);
        command.spawn().expect("it starts")
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    pub(super) fn inspect(&self, words: &str) -> serde_json::Value {
        serde_json::from_str(&self.say(&format!("inspect {words}")).good()).expect("JSON")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for name in self.say("list").out.lines().skip(1).filter_map(|line| line.split(' ').next()) {
            cli(self.path(), &format!("force-stop {name}"));
            cli(self.path(), &format!("stop {name}"));
        }
    }
}
