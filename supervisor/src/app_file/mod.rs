//! `clustermon.toml`, the file for several apps: its text in, the arguments of `run` for each app or what is wrong and where out.
//! Everything here is pure: it reads no file, asks nobody and starts nothing.

mod app;
pub(crate) mod discovery;
mod document;
mod example;
mod fault;
mod options;
mod order;
mod profiles;
mod report;
mod schema;

pub(crate) use app::{App, AppFile};
pub(crate) use example::example;
pub(crate) use fault::Fault;
pub(crate) use options::Options;
pub(crate) use report::Report;
pub(crate) use schema::schema;

use std::path::Path;

/// What is asked of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// The options of `run`, which are the keys.
    pub(crate) options: &'a Options,
    /// The folder of the file, to which paths in it are relative; empty if that is the current one.
    pub(crate) folder: &'a Path,
    /// The profile that was chosen.
    pub(crate) profile: Option<&'a str>,
}

/// Reads the text of a file: its apps, and everything that is wrong with it. Where something is, not every app is there.
pub(crate) fn read(text: &str, wanted: Wanted<'_>) -> (AppFile, Vec<Fault>) {
    let (file, mut faults) = match document::read(text, wanted) {
        Ok((document, mut faults)) => (profiles::choose(document, wanted, &mut faults), faults),
        Err(faults) => (AppFile::default(), faults),
    };
    faults.sort_by_key(|fault| (fault.span.start, fault.span.end));
    faults.dedup();
    (file, faults)
}

#[cfg(test)]
mod tests;
