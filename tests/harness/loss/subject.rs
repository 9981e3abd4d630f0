//! The servers that are put under load: how each is started in a cluster, and on whose behalf.

use super::tools;
use crate::clients::http::Target;
use crate::clusters::cluster::Cluster;
use crate::programs::apps::app;
use crate::programs::options::Options;
use crate::programs::places::app_dir;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

/// A command with the words for it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// For people.
    pub name: &'static str,
    command: Vec<OsString>,
    env: Vec<(&'static str, &'static str)>,
}

impl Subject {
    /// Node's http server, which has no handler for any signal.
    pub fn node() -> Option<Self> {
        Self::of("Node http", "node-http")
    }

    /// The same, closing its listener on SIGTERM and ending with its last connection.
    pub fn graceful_node() -> Option<Self> {
        Some(Self { env: vec![("GRACEFUL", "1")], ..Self::of("Node http, graceful", "node-http")? })
    }

    pub fn asyncio() -> Option<Self> {
        Self::of("Python asyncio", "python-asyncio")
    }

    pub fn threads() -> Option<Self> {
        Self::of("Python threads", "python-threads")
    }

    pub fn tokio() -> Option<Self> {
        Self::of("Rust tokio", "rust-tokio")
    }

    /// gunicorn with threads, installed here and now; `None` if that cannot be.
    pub fn gunicorn() -> Option<Self> {
        let python = tools::gunicorn()?;
        Some(Self { name: "gunicorn", command: gunicorn_command(&python), env: Vec::new() })
    }

    fn of(name: &'static str, row: &str) -> Option<Self> {
        Some(Self { name, command: app(row)?.default_command(), env: Vec::new() })
    }

    /// The same with its script taken from another folder.
    #[must_use]
    pub fn with_script(mut self, script: &Path) -> Self {
        self.command.pop();
        self.command.push(script.into());
        self
    }

    /// A cluster of it, once all workers are ready; flags are split at spaces.
    #[track_caller]
    pub fn start(&self, workers: usize, flags: &str) -> Cluster {
        let mut options = Options::workers(workers);
        if !flags.is_empty() {
            options = options.flags(flags);
        }
        for (name, value) in &self.env {
            options = options.env(name, value);
        }
        Cluster::start_command(&self.command, options)
    }
}

/// What starts gunicorn with our configuration.
pub(super) fn gunicorn_command(python: &Path) -> Vec<OsString> {
    let configuration = app_dir().join("python/gunicorn.conf.py");
    let words = ["-m".into(), "gunicorn".into(), "-c".into(), configuration.into_os_string()];
    [python.as_os_str().to_owned()].into_iter().chain(words).chain(["wsgi_stream:app".into()]).collect()
}

/// Where clients of the cluster go.
pub(super) fn server(cluster: &Cluster) -> SocketAddr {
    match cluster.target() {
        Target::Tcp(address) => address,
        other => panic!("{other} is no TCP address"),
    }
}
