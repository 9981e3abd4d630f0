//! `clustermon init`: writes a file of apps from what it finds in the folder. It never writes over a file.

use super::NAME;
use crate::app_file::discovery::{FILES, Files, discover};
use crate::app_file::example;
use crate::cli::output::failed::Failed;
use crate::cli::output::failed::USAGE;
use crate::cli::output::out;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// No such file that a person writes is longer.
const MOST: u64 = 1 << 20;

/// Write a file of apps with comments, from what is in the folder: Procfile, package.json, pyproject.toml, Gemfile
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The file to write, or the folder where it is to be clustermon.toml [default: clustermon.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let path = match &self.file {
            Some(folder) if folder.is_dir() => folder.join(NAME),
            Some(path) => path.clone(),
            None => PathBuf::from(NAME),
        };
        let found = discover(&files(path.parent().unwrap_or(Path::new(""))));
        write(&path, &example(&found))?;
        let path = path.display();
        if found.is_empty() {
            let told = "nothing here says what to run: write your command below [app.web]";
            return out::print(&format!("clustermon: wrote {path}; {told}\n"));
        }
        let apps: Vec<_> = found.iter().map(|app| format!("{} (from {})", app.name, app.from)).collect();
        out::print(&format!(
            "clustermon: wrote {path} with {}; `clustermon check` says what would run, `clustermon up` runs it\n",
            apps.join(", ")
        ))
    }
}

/// What of the files is there; one that cannot be read tells nothing.
fn files(folder: &Path) -> Files {
    let read = |name: &'static str| {
        let path = folder.join(name);
        let is_program = name.contains('/');
        if !path.metadata().is_ok_and(|file| file.is_file()) {
            return None;
        }
        let mut bytes = Vec::new();
        if !is_program {
            File::open(path).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
        }
        Some((name, String::from_utf8_lossy(&bytes).into_owned()))
    };
    FILES.into_iter().filter_map(read).collect()
}

/// Nobody else may write to it, whatever the mask is: what it says is run.
fn write(path: &Path, text: &str) -> Result<(), Failed> {
    let file = File::options().write(true).create_new(true).mode(0o644).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let path = path.display();
        match error.kind() {
            ErrorKind::AlreadyExists => {
                Failed::new(USAGE, format!("{path} is there already: remove it, or name another file"))
            }
            _ => Failed::new(1, format!("{path}: {error}")),
        }
    })
}
