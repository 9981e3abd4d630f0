//! Versions of a program, each in a folder of its own, and a link to the current one, as many deploy.

use crate::clusters::cluster::Cluster;
use crate::programs::options::Options;
use crate::system::temp::TempDir;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Workers run `sh start` in `current`.
#[derive(Debug)]
pub struct Deployment(TempDir);

impl Deployment {
    /// With one version, which is current.
    pub fn new(version: &str, start: &str) -> Self {
        let deployment = Self(TempDir::new());
        deployment.deploy(version, start);
        deployment
    }

    /// Adds a version with this script as its `start`, and makes it the current one.
    pub fn deploy(&self, version: &str, start: &str) {
        let folder = self.path().join(version);
        fs::create_dir(&folder).expect("each version is new");
        fs::write(folder.join("start"), start).expect("the folder is ours");
        let link = self.path().join("next");
        let turned = symlink(version, &link).and_then(|()| fs::rename(link, self.path().join("current")));
        turned.expect("the folder is ours");
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Starts a cluster of it and waits until it is ready.
    #[track_caller]
    pub fn start(&self, options: Options) -> Cluster {
        let folder = self.path().join("current");
        Cluster::start_command(&["sh", "start"], options.flags(&format!("--cwd {}", folder.display())))
    }
}
