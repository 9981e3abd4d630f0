//! `clustermon check`: reads the file as `up` would and says what would run. It starts nothing, and shows no value of a variable.

use super::{Apps, Depth};
use crate::app_file::{App, Options};
use crate::cli::output::failed::Failed;
use crate::cli::output::out;
use crate::cli::output::shell::quoted;
use crate::config::Config;
use crate::io::output::plain::Plain;
use std::path::PathBuf;

/// Say what a file of apps would run, or everything that is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = crate::cli::EXIT_CODES)]
pub(in crate::cli) struct Args {
    /// The file of the apps, or the folder where it is clustermon.toml [default: clustermon.toml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Profile of the file: what [profile.NAME] says beats the rest
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

impl Args {
    pub(in crate::cli) fn run(&self) -> Result<(), Failed> {
        let apps = Apps::read(self.file.as_deref(), self.env.as_deref(), Depth::All)?;
        out::print(&described(&apps))
    }
}

fn described(apps: &Apps) -> String {
    let mut text = format!("{}: ok, {}\n", apps.source.name(), count(apps.apps.len(), "app"));
    for (app, config) in &apps.apps {
        text.push('\n');
        text.push_str(&paragraph(app, config, &apps.options));
    }
    text
}

fn paragraph(app: &App, config: &Config, options: &Options) -> String {
    let command: Vec<_> = config.argv().iter().map(|word| quoted(word)).collect();
    let ids = &config.logical_ids;
    let numbered = ids.iter().enumerate().all(|(at, id)| *id == at.to_string());
    let which = if numbered { String::new() } else { format!(": {}", ids.join(", ")) };
    let mut lines = vec![
        ("command".to_owned(), command.join(" ")),
        ("workers".to_owned(), format!("{}{which}", ids.len())),
    ];
    let told = ["workers", "logical-ids", "interpreter", "interpreter-arg"];
    let differing = app.differing(options).into_iter().filter(|(key, _)| !told.contains(&key.as_str()));
    lines.extend(differing.map(|(key, value)| (key, value.unwrap_or_else(|| "yes".to_owned()))));
    let variables: Vec<_> = app.env.0.keys().map(String::as_str).collect();
    if !variables.is_empty() {
        lines.push(("env".to_owned(), format!("{} (values are not shown)", variables.join(", "))));
    }
    let after: Vec<_> = app.after.iter().map(|(name, _)| name.as_str()).collect();
    if !after.is_empty() {
        lines.push(("after".to_owned(), after.join(", ")));
    }
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or_default();
    let lines = lines.iter().map(|(key, value)| format!("  {key:width$}  {}\n", Plain(value)));
    format!("{}\n{}", app.name, lines.collect::<String>())
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
