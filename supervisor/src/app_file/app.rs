//! One app of the file: the arguments of `run` that mean the same, and where in the file each comes from. It reads no arguments itself:
//! the same parser and the same checks go over them that go over a command line.

use super::document::layer::{COMMAND, Given};
use super::fault::{Fault, Span};
use super::options::Options;
use crate::api::Variables;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct AppFile {
    /// In the order in which they start.
    pub(crate) apps: Vec<App>,
    /// Where in the text values of variables stand, which nobody is to be shown.
    pub(crate) secrets: Vec<Span>,
}

/// One app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) command: Vec<String>,
    pub(super) command_span: Span,
    pub(super) folder: PathBuf,
    /// By key.
    pub(super) values: BTreeMap<String, Given>,
    /// Variables of its workers. Values are never shown.
    pub(crate) env: Variables,
    /// Which apps are ready before it starts, and where that stands.
    pub(crate) after: Vec<(String, Span)>,
    /// Keys whose values were at fault, which is told already.
    pub(super) lacks: BTreeSet<String>,
}

/// It has what stands for a worker's own id or port.
fn has_placeholders(text: &str) -> bool {
    text.contains("{id}") || text.contains("{port}")
}

impl App {
    /// What `run` would be told, from behind `run`; leaves these keys out.
    pub(crate) fn arguments(&self, without: &[String]) -> Vec<OsString> {
        let mut arguments = vec![format!("--name={}", self.name).into()];
        let values = self.values.iter().filter(|(key, _)| !without.contains(key));
        arguments.extend(values.flat_map(|(_, given)| given.arguments.clone()));
        if !self.values.contains_key("cwd") && !self.folder.as_os_str().is_empty() {
            let mut folder = OsString::from("--cwd=");
            folder.push(&self.folder);
            arguments.push(folder);
        }
        // In a file they are what everybody means by them.
        let texts = self.command.iter().chain(self.env.0.values());
        if !self.values.contains_key("placeholders") && texts.into_iter().any(|text| has_placeholders(text)) {
            arguments.push("--placeholders".into());
        }
        arguments.push("--".into());
        arguments.extend(self.command.iter().map(OsString::from));
        arguments
    }

    /// The file that output goes to in the background.
    pub(crate) fn log(&self) -> Option<OsString> {
        let word = self.values.get("log")?.arguments.first()?;
        let path = word.as_bytes().strip_prefix(b"--log=")?;
        Some(OsStr::from_bytes(path).to_owned())
    }

    /// Has `build` make a cluster of the arguments, and collects everything that it complains of: after each complaint it is asked again
    /// without the option that the complaint was about.
    pub(crate) fn settle<C>(
        &self,
        options: &Options,
        build: impl Fn(Vec<OsString>) -> Result<C, String>,
    ) -> (Option<C>, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut without = Vec::new();
        loop {
            let complaint = match build(self.arguments(&without)) {
                Ok(cluster) => return (Some(cluster), faults),
                Err(complaint) => complaint,
            };
            faults.extend(self.fault(options, &complaint));
            match self.blamed(options, &complaint) {
                Some(key) => without.push(key.clone()),
                None => return (None, faults),
            }
        }
    }

    /// A complaint about this app, at the place in the file that it is about; `None` if it may be for no other reason than that a value
    /// was at fault, which is told already.
    pub(crate) fn fault(&self, options: &Options, complaint: &str) -> Option<Fault> {
        let mut named = options.named(complaint).peekable();
        let first = named.peek().copied();
        let of_command = first.is_none() && self.lacks.contains(COMMAND);
        if of_command || named.any(|key| self.lacks.contains(key)) {
            return None;
        }
        let blamed = self.blamed(options, complaint).and_then(|key| self.values.get(key));
        if let (None, Some("name")) = (blamed, first) {
            let complaint = complaint.replacen("--name", "the name of an app,", 1);
            return Some(Fault::new(self.span.clone(), complaint, ""));
        }
        let span = blamed.map_or(&self.command_span, |given| &given.span);
        Some(Fault::new(span.clone(), options.reworded(complaint), ""))
    }

    /// The keys whose values differ from the default, and these; a switch has none.
    pub(crate) fn differing(&self, options: &Options) -> Vec<(String, Option<String>)> {
        let told = self.values.iter().filter_map(|(key, given)| {
            let prefix = format!("--{key}=");
            let words: Vec<_> = given.arguments.iter().map(|word| word.to_string_lossy()).collect();
            let values: Vec<_> = words.iter().filter_map(|word| word.strip_prefix(&prefix)).collect();
            let value = values.join(", ");
            let default = options.find(key).and_then(|option| option.default());
            let is_default = words.is_empty() || default == Some(value.as_str());
            (!is_default).then(|| (key.clone(), (!values.is_empty()).then_some(value)))
        });
        told.collect()
    }

    /// The key that a complaint is about, if the file has it.
    fn blamed(&self, options: &Options, complaint: &str) -> Option<&String> {
        let named = options.named(complaint).next()?;
        self.values.get_key_value(named).map(|(key, _)| key)
    }
}
