//! Whom a command line means, `[NAME][/ID]` or `all`, and where the clusters of this user can be found. Asks them nothing.

use crate::api::Target;
use crate::cli::connection::client::Client;
use crate::cli::output::failed::{ABSENT, Failed, USAGE};
use crate::io::control::last_end::{self, LastEnd};
use crate::io::control::runtime_dir::{self, Purpose};
use crate::spelling::nearest;
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

/// Which clusters, and perhaps which workers of them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Whom {
    /// Clusters, or workers of them: [NAME][/ID], or all; NAME may be left out when exactly one cluster of this user runs
    #[arg(value_name = "[NAME][/ID]|all")]
    pub(in crate::cli) targets: Vec<Named>,
    #[command(flatten)]
    pub(in crate::cli) at: At,
}

/// The word for every cluster of this user that runs.
pub(in crate::cli) const ALL: &str = "all";

/// A cluster or a worker that is meant, connected to or with what is wrong.
#[derive(Debug)]
pub(in crate::cli) struct Found {
    /// How people call it: `web`, `web/2`.
    pub(in crate::cli) label: String,
    /// Of the cluster alone, if it has one.
    pub(in crate::cli) name: Option<String>,
    pub(in crate::cli) target: Target,
    pub(in crate::cli) client: Result<Client, Failed>,
}

/// Where, instead of by name.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct At {
    /// Control socket of the cluster, instead of its NAME
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) control: Option<PathBuf>,
}

impl Whom {
    /// All that are meant, in the order in which they were named, each once. It fails as a whole only where it is not known who is meant.
    pub(in crate::cli) fn find(&self) -> Result<Vec<Found>, Failed> {
        let only = [Named::default()];
        let named = if self.targets.is_empty() { &only[..] } else { &self.targets };
        self.at.find(named)
    }
}

impl At {
    /// The same for these.
    pub(in crate::cli) fn find(&self, named: &[Named]) -> Result<Vec<Found>, Failed> {
        let directories = directories();
        let mut found: Vec<Found> = Vec::new();
        for one in named {
            let target = one.id.clone().map_or(Target::Cluster, Target::Worker);
            let clients = match (&self.control, one.name.as_deref()) {
                (None, Some(ALL)) => {
                    let all = running(&directories);
                    if all.is_empty() {
                        return Err(none_runs());
                    }
                    all
                }
                (None, None) => vec![the_only_one(&directories)?],
                (None, Some(name)) => vec![(name.to_owned(), by_name(name, &directories))],
                (Some(path), name) => vec![(path.display().to_string(), self.connect(name))],
            };
            for (name, client) in clients {
                let label = one.id.as_ref().map_or_else(|| name.clone(), |id| format!("{name}/{id}"));
                if !found.iter().any(|earlier| earlier.label == label) {
                    let name = self.control.is_none().then_some(name);
                    found.push(Found { label, name, target: target.clone(), client });
                }
            }
        }
        Ok(found)
    }

    /// Connects to the cluster of that name, or to the only one.
    pub(in crate::cli) fn connect(&self, name: Option<&str>) -> Result<Client, Failed> {
        match (&self.control, name) {
            (Some(path), None) => Client::connect(path).map_err(|error| at_path(path, &error)),
            (Some(_), Some(name)) => {
                let told = format!("--control says already which cluster is meant: leave {name} away");
                Err(Failed::new(USAGE, told))
            }
            (None, Some(name)) => by_name(name, &directories()),
            (None, None) => the_only_one(&directories())?.1,
        }
    }
}

fn at_path(path: &Path, error: &io::Error) -> Failed {
    let code = if is_absent(error) { ABSENT } else { 1 };
    let what = if code == ABSENT { "no cluster" } else { "the cluster cannot be asked" };
    let told = match error.kind() {
        ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        ErrorKind::WouldBlock => "its supervisor answers nobody, and too many wait for it already".to_owned(),
        _ => error.to_string(),
    };
    Failed::new(code, format!("{what} at {path:?}: {told}"))
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

/// How those clusters of this user ended that did not end well and have not been started again, in the order of their names.
pub(in crate::cli) fn ended(directories: &[PathBuf]) -> Vec<(PathBuf, LastEnd)> {
    let files = files(directories, last_end::ENDING).into_iter();
    files.filter_map(|(_, path)| last_end::read(&path).map(|end| (path, end))).collect()
}

/// How the cluster ended that has this name or path, and where that is kept.
pub(in crate::cli) fn end_of(name: Option<&str>, at: &At) -> Option<(PathBuf, LastEnd)> {
    let places = match (&at.control, name) {
        (Some(path), _) => vec![last_end::beside(&std::path::absolute(path).ok()?)],
        (None, Some(name)) if !name.contains('/') => {
            let file = format!("{name}.{}", last_end::ENDING);
            directories().into_iter().map(|directory| directory.join(&file)).collect()
        }
        (None, _) => Vec::new(),
    };
    places.into_iter().find_map(|path| last_end::read(&path).map(|end| (path, end)))
}

/// Of these, best first, the ones to look in; the first is all if it is a service's own.
fn usable(homes: Vec<PathBuf>, is_service: bool) -> Vec<PathBuf> {
    let is_usable = |path: &PathBuf| runtime_dir::open_existing(path, Uid::effective()).is_ok();
    match homes.first() {
        Some(own) if is_service && is_usable(own) => vec![own.clone()],
        _ => homes.into_iter().filter(is_usable).collect(),
    }
}

/// What is said of one whose supervisor was killed and has left its socket.
pub(in crate::cli) fn left(name: &str) -> Failed {
    let told = format!(
        "{name} does not run: its supervisor was killed (SIGKILL, out of memory, or with the machine) and has left its socket behind; \
         `clustermon stop {name}` forgets it"
    );
    Failed::new(ABSENT, told)
}

/// There is none.
pub(in crate::cli) fn none_runs() -> Failed {
    Failed::new(ABSENT, "no cluster of this user is running")
}

/// The one cluster that runs; an error if there is none, or which there are.
fn the_only_one(directories: &[PathBuf]) -> Result<(String, Result<Client, Failed>), Failed> {
    let mut running = running(directories);
    match (running.pop(), running.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(none_runs()),
        (Some((last, _)), false) => {
            let names = names(running.iter().map(|(name, _)| name.as_str()).chain([last.as_str()]));
            Err(Failed::new(ABSENT, format!("which cluster? there are {names}; `all` means all of them")))
        }
    }
}

fn by_name(name: &str, directories: &[PathBuf]) -> Result<Client, Failed> {
    // A name is no path; none of that kind can have been given to a cluster.
    let mut is_left = false;
    for directory in directories.iter().filter(|_| !name.contains('/')) {
        let path = directory.join(format!("{name}.sock"));
        match Client::connect(&path) {
            Ok(client) => return Ok(client),
            Err(error) if is_absent(&error) => is_left |= error.kind() == ErrorKind::ConnectionRefused,
            Err(error) => return Err(at_path(&path, &error)),
        }
    }
    let ended = directories.iter().filter(|_| !name.contains('/'));
    let mut ended =
        ended.filter_map(|directory| last_end::read(&directory.join(format!("{name}.{}", last_end::ENDING))));
    if let Some(end) = ended.next() {
        let told = format!(
            "{name} has failed, and does not run: {}; `clustermon status {name}` tells more",
            end.cause
        );
        return Err(Failed::new(ABSENT, told));
    }
    if is_left {
        return Err(left(name));
    }
    let running = running(directories);
    let names_of_running = || running.iter().map(|(name, _)| name.as_str());
    let others = match (nearest(name, names_of_running()), running.is_empty()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, true) => "none of this user is running".to_owned(),
        (None, false) => format!("there are {}", names(names_of_running())),
    };
    // Other managers start a program by this very command.
    let run = format!("; to run that file: clustermon run -- {name}");
    let run = if Path::new(name).is_file() { run } else { String::new() };
    Err(Failed::new(ABSENT, format!("no cluster {name:?}: {others}{run}")))
}

/// For a sentence: of very many the first ones.
fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const MOST: usize = 20;
    let names: Vec<_> = names.collect();
    match names.len().checked_sub(MOST) {
        Some(more @ 1..) => format!("{} and {more} more", names[..MOST].join(", ")),
        _ => names.join(", "),
    }
}

/// The clusters that run, in the order of their names, each connected to or with what is wrong.
pub(in crate::cli) fn running(directories: &[PathBuf]) -> Vec<(String, Result<Client, Failed>)> {
    let mut running = Vec::new();
    for (name, path) in files(directories, "sock") {
        match Client::connect_to_one_of_many(&path) {
            Err(error) if is_absent(&error) => {}
            result => running.push((name, result.map_err(|error| at_path(&path, &error)))),
        }
    }
    running
}

/// The files with this ending in these directories, by the names of the clusters that they belong to, in the order of the names.
pub(super) fn files(directories: &[PathBuf], ending: &str) -> Vec<(String, PathBuf)> {
    let entries = directories.iter().flat_map(fs::read_dir).flatten().flatten().map(|entry| entry.path());
    let named = entries.filter(|path| path.extension() == Some(OsStr::new(ending)));
    let mut files: Vec<_> =
        named.filter_map(|path| Some((path.file_stem()?.to_string_lossy().into_owned(), path))).collect();
    files.sort();
    files
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
        let connected = |name: Option<&str>| match name {
            Some(name) => by_name(name, &directories),
            None => the_only_one(&directories)?.1,
        };
        let told = |name| connected(name).map(drop).unwrap_err();
        assert_eq!(told(None), Failed::new(3, "no cluster of this user is running"));
        assert_eq!(told(Some("web")), Failed::new(3, "no cluster \"web\": none of this user is running"));
        // Left by dead supervisors, and something else.
        drop((listen("a/dead.sock"), listen("b/web.sock")));
        assert!(told(Some("web")).message.unwrap().contains("was killed"));
        std::fs::remove_file(scratch.path().join("b/web.sock")).unwrap();
        let end = LastEnd::now("web", 1, "its disk is full".to_owned(), None);
        last_end::write(&scratch.path().join("b/web.end"), &end);
        assert!(
            told(Some("web")).message.unwrap().contains("has failed, and does not run: its disk is full")
        );
        assert_eq!(ended(&directories), [(scratch.path().join("b/web.end"), end)]);
        scratch.file("a/notes.txt", "", 0o644);
        assert_eq!(told(None).code, 3);
        let _web = listen("a/web.sock");
        assert!(connected(None).is_ok());
        assert!(connected(Some("web")).is_ok());
        let _api = listen("b/api.sock");
        assert_eq!(told(None), Failed::new(3, "which cluster? there are api, web; `all` means all of them"));
        assert_eq!(told(Some("x")), Failed::new(3, "no cluster \"x\": there are api, web"));
        assert_eq!(told(Some("apy")), Failed::new(3, "no cluster \"apy\": did you mean api?"));
        assert!(connected(Some("api")).is_ok());
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
