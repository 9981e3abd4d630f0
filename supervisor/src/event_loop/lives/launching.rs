//! What processes of workers are started from: one template for each version, the library, limits and names. It starts none.

use crate::io::launch::spawn::{Limits, Template};
use crate::io::launch::thunk_file::Thunk;
use crate::io::privileges::view::View;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// All that every start takes.
#[derive(Debug)]
pub(in crate::event_loop) struct Launching {
    /// What a process of each version is made of.
    pub(in crate::event_loop) templates: BTreeMap<u32, Template>,
    pub(in crate::event_loop) limits: Limits,
    pub(in crate::event_loop) thunk: Thunk,
    pub(in crate::event_loop) home: Option<PathBuf>,
    /// A number of this supervisor's alone.
    pub(in crate::event_loop) nonce: u64,
    /// Logical ids by slot; more are made up as the cluster is scaled.
    pub(in crate::event_loop) ids: Vec<String>,
}

impl Launching {
    /// How files look to workers of the newest version.
    pub(in crate::event_loop) fn view(&self) -> View {
        let newest = self.templates.values().next_back();
        newest.map(|template| template.launch_spec.confinement.view()).unwrap_or_default()
    }
}
