//! Whom a command line means, `[NAME][/ID]`, and where the clusters of this user can be found. Asks them nothing.

use crate::api::Target;
use crate::cli::connection::client::Client;
use crate::cli::output::failed::{ABSENT, Failed, USAGE};
use crate::io::control::runtime_dir::{self, Purpose};
use nix::unistd::Uid;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A cluster, a worker of it, or neither: then the one cluster that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Named {
    pub(in crate::cli) name: Option<String>,
    pub(in crate::cli) id: Option<String>,
}

impl FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, id) = match text.split_once('/') {
            Some((_, "")) => return Err("no worker is named after the `/`"),
            Some((name, id)) => (name, Some(id.to_owned())),
            None => (text, None),
        };
        Ok(Self { name: Some(name.to_owned()).filter(|name| !name.is_empty()), id })
    }
}

/// Which cluster, and perhaps which worker.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Whom {
    /// Cluster, or worker of it: [NAME][/ID]; NAME may be left out when exactly one cluster of this user runs
    #[arg(value_name = "[NAME][/ID]", default_value = "", hide_default_value = true)]
    pub(in crate::cli) target: Named,
    #[command(flatten)]
    pub(in crate::cli) at: At,
}

/// Where, instead of by name.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct At {
    /// Control socket of the cluster, instead of its NAME
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) control: Option<PathBuf>,
}

impl Whom {
    pub(in crate::cli) fn target(&self) -> Target {
        self.target.id.clone().map_or(Target::Cluster, Target::Worker)
    }

    pub(in crate::cli) fn connect(&self) -> Result<Client, Failed> {
        self.at.connect(self.target.name.as_deref())
    }
}

impl At {
    /// Connects to the cluster of that name, or to the only one.
    pub(in crate::cli) fn connect(&self, name: Option<&str>) -> Result<Client, Failed> {
        match (&self.control, name) {
            (Some(path), None) => Client::connect(path).map_err(|error| at_path(path, &error)),
            (Some(_), Some(name)) => {
                let told = format!("--control says already which cluster is meant: leave {name} away");
                Err(Failed::new(USAGE, told))
            }
            (None, name) => by_name(name, &directories()),
        }
    }
}

fn at_path(path: &Path, error: &io::Error) -> Failed {
    let code = if is_absent(error) { ABSENT } else { 1 };
    let told = match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        _ => error.to_string(),
    };
    Failed::new(code, format!("no cluster at {path:?}: {told}"))
}

/// Nothing is there, or what a dead supervisor left.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory)
}

/// The directories of this user's control sockets that are there and that nobody else can write to. Where a service
/// manager sets one, as for what a service runs to reload itself, other clusters of the user are not meant.
pub(in crate::cli) fn directories() -> Vec<PathBuf> {
    let is_service = std::env::var_os("RUNTIME_DIRECTORY").is_some_and(|list| !list.is_empty());
    let homes = runtime_dir::homes(Purpose::Control).into_iter().chain(runtime_dir::spares(Purpose::Control));
    // By a unit of the system that runs as this user; root's is the one that root has anyway.
    let of_units = PathBuf::from(format!("/run/clustermon-{}", Uid::effective()));
    usable(homes.map(|home| home.path).chain([of_units]).collect(), is_service)
}

/// Of these, best first, the ones to look in; the first is all if it is a service's own.
fn usable(homes: Vec<PathBuf>, is_service: bool) -> Vec<PathBuf> {
    let is_usable = |path: &PathBuf| runtime_dir::open_existing(path, Uid::effective()).is_ok();
    match homes.first() {
        Some(own) if is_service && is_usable(own) => vec![own.clone()],
        _ => homes.into_iter().filter(is_usable).collect(),
    }
}

fn by_name(name: Option<&str>, directories: &[PathBuf]) -> Result<Client, Failed> {
    let Some(name) = name else {
        let mut running = running(directories);
        return match (running.pop(), running.is_empty()) {
            (Some((_, client)), true) => client,
            (None, _) => Err(Failed::new(ABSENT, "no cluster of this user is running")),
            (Some((last, _)), false) => {
                let names = names(running.iter().map(|(name, _)| name.as_str()).chain([last.as_str()]));
                Err(Failed::new(ABSENT, format!("which cluster? there are {names}")))
            }
        };
    };
    // A name is no path; none of that kind can have been given to a cluster.
    for directory in directories.iter().filter(|_| !name.contains('/')) {
        let path = directory.join(format!("{name}.sock"));
        match Client::connect(&path) {
            Ok(client) => return Ok(client),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(at_path(&path, &error)),
        }
    }
    let running = running(directories);
    let others = match running.is_empty() {
        true => "none of this user is running".to_owned(),
        false => format!("there are {}", names(running.iter().map(|(name, _)| name.as_str()))),
    };
    // Other managers start a program by this very command.
    let run = format!("; to run that file: clustermon run -- {name}");
    let run = if Path::new(name).is_file() { run } else { String::new() };
    Err(Failed::new(ABSENT, format!("no cluster {name:?}: {others}{run}")))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The clusters that run, in the order of their names, each connected to or with what is wrong.
pub(in crate::cli) fn running(directories: &[PathBuf]) -> Vec<(String, Result<Client, Failed>)> {
    let mut running = Vec::new();
    for path in directories.iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path()) {
        let (Some(name), true) = (path.file_stem(), path.extension() == Some(OsStr::new("sock"))) else {
            continue;
        };
        match Client::connect(&path) {
            Err(error) if is_absent(&error) => {}
            result => {
                let result = result.map_err(|error| at_path(&path, &error));
                running.push((name.to_string_lossy().into_owned(), result));
            }
        }
    }
    running.sort_by(|(a, _), (b, _)| a.cmp(b));
    running
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;
    use std::os::unix::net::UnixListener;

    #[test]
    fn targets() {
        let named = |name: Option<&str>, id: Option<&str>| {
            Ok(Named { name: name.map(Into::into), id: id.map(Into::into) })
        };
        for (text, expected) in [
            ("", named(None, None)),
            ("web", named(Some("web"), None)),
            ("web/2", named(Some("web"), Some("2"))),
            ("/2", named(None, Some("2"))),
            ("web/a/b", named(Some("web"), Some("a/b"))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        assert!("web/".parse::<Named>().is_err() && "/".parse::<Named>().is_err());
    }

    #[test]
    fn the_only_one_needs_no_name() {
        let scratch = Scratch::new();
        let directories = [scratch.dir("a", 0o700), scratch.path().join("missing"), scratch.dir("b", 0o700)];
        let listen = |path: &str| UnixListener::bind(scratch.path().join(path)).unwrap();
        let told = |name| by_name(name, &directories).map(drop).unwrap_err();
        assert_eq!(told(None), Failed::new(3, "no cluster of this user is running"));
        assert_eq!(told(Some("web")), Failed::new(3, "no cluster \"web\": none of this user is running"));
        // Left by dead supervisors, and something else.
        drop((listen("a/dead.sock"), listen("b/web.sock")));
        scratch.file("a/notes.txt", "", 0o644);
        assert_eq!(told(None).code, 3);
        let _web = listen("a/web.sock");
        assert!(by_name(None, &directories).is_ok());
        assert!(by_name(Some("web"), &directories).is_ok());
        let _api = listen("b/api.sock");
        assert_eq!(told(None), Failed::new(3, "which cluster? there are api, web"));
        assert_eq!(told(Some("x")), Failed::new(3, "no cluster \"x\": there are api, web"));
        assert!(by_name(Some("api"), &directories).is_ok());
    }

    #[test]
    fn a_service_looks_in_its_own_directory_only_if_it_has_one() {
        let scratch = Scratch::new();
        let (own, other) = (scratch.dir("own", 0o700), scratch.dir("other", 0o700));
        let missing = scratch.path().join("missing");
        let both = vec![own.clone(), other.clone()];
        assert_eq!(usable(both.clone(), true), std::slice::from_ref(&own));
        assert_eq!(usable(both.clone(), false), both);
        assert_eq!(usable(vec![missing, other.clone()], true), [other]);
    }

    #[test]
    fn a_path_instead_of_a_name() {
        let scratch = Scratch::new();
        let path = scratch.path().join("c.sock");
        let at = At { control: Some(path.clone()) };
        let told = |name| at.connect(name).map(drop).unwrap_err();
        assert_eq!(told(None).code, 3);
        let listener = UnixListener::bind(&path).unwrap();
        assert!(at.connect(None).is_ok());
        assert_eq!(told(Some("web")).code, 2);
        drop(listener);
        assert!(told(None).message.unwrap().contains("nobody listens there"));
    }
}
