//! Another command line for the cluster that runs: compared, put in force as far as that goes without a new supervisor, and taken back if the
//! reload that it takes fails. What an option takes is said elsewhere.

use super::super::Shell;
use super::super::health::monitor::Monitor;
use super::super::os::Os;
use crate::api::{Difference, Failure, ScaleTo, Takes, Variables};
use crate::config::{Comparison, Config, MemoryLimit, Origin, Rollback};
use crate::io::machine::memory_share;
use crate::pool::{Input, Reloaded, Settings};
use std::ffi::OsString;

/// What the cluster was made of, and what it is being changed from.
#[derive(Debug, Default)]
pub(in crate::event_loop) struct Configuring {
    /// `None` where no command line made it.
    pub(in crate::event_loop) origin: Option<Origin>,
    under_way: Option<Before>,
}

/// How all was before a change that takes a reload.
#[derive(Debug)]
struct Before {
    /// The reload.
    ticket: u64,
    config: Config,
    words: Vec<OsString>,
    variables: Variables,
    workers: u32,
    /// So many there are to be once it has succeeded: until then none goes that may be needed.
    fewer: Option<u32>,
}

/// What has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event_loop) enum Changed {
    Nothing,
    /// It is in force.
    AtOnce,
    /// It is in force once there are so many workers.
    Scaled(u32),
    /// It is in force once this reload is done and there are so many workers.
    Reloads {
        ticket: u64,
        workers: u32,
    },
}

impl Configuring {
    pub(in crate::event_loop) fn new(origin: Option<Origin>) -> Self {
        Self { origin, under_way: None }
    }

    /// Variables of the workers that are started from now on.
    pub(in crate::event_loop) fn variables(&self) -> Vec<(OsString, OsString)> {
        let variables = self.origin.iter().flat_map(|origin| &origin.variables.0);
        variables.map(|(name, value)| (name.into(), value.into())).collect()
    }
}

impl<O: Os> Shell<O> {
    /// What is another way in the new command line. All of it is checked, up to the program and the files that it names.
    pub(in crate::event_loop) fn compare(
        &mut self,
        arguments: Vec<String>,
        variables: &Variables,
    ) -> Result<(Comparison, Vec<Difference>), Failure> {
        let refused = |what: String| Failure::Refused { what };
        let Some(origin) = &self.configuring.origin else {
            return Err(refused(
                "this cluster was not made of a command line: the program that made it can change it"
                    .to_owned(),
            ));
        };
        let words: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
        let mut comparison = (origin.compare)(&origin.words, &words).map_err(refused)?;
        comparison.config.name.clone_from(&self.config.name);
        let mut differences = std::mem::take(&mut comparison.differences);
        differences.extend(origin.variables.differences(variables));
        self.read_launch_spec(&comparison.config, true).map_err(refused)?;
        Ok((comparison, differences))
    }

    /// Puts the new command line in force, but for what takes a new supervisor.
    pub(in crate::event_loop) fn configure(
        &mut self,
        arguments: Vec<String>,
        variables: Variables,
    ) -> Result<Changed, Failure> {
        if self.pool.rollout().is_some() {
            let what = "a reload is under way: when it is done, or `reload --abort` has ended it, the configuration can be changed";
            return Err(Failure::Refused { what: what.to_owned() });
        }
        let (Comparison { config, words, .. }, differences) = self.compare(arguments, &variables)?;
        let Some(takes) =
            differences.iter().map(|found| found.takes).filter(|takes| *takes != Takes::Start).max()
        else {
            return Ok(Changed::Nothing);
        };
        let names: Vec<_> = differences
            .iter()
            .filter(|found| found.takes != Takes::Start)
            .map(|found| &*found.what)
            .collect();
        log::info!("the configuration changes: {}", names.join(", "));
        let workers = u32::try_from(config.logical_ids.len()).unwrap_or(u32::MAX);
        let is_scaled = differences.iter().any(|found| found.what == "workers");
        let before = Before {
            ticket: 0,
            config: std::mem::replace(&mut self.config, config),
            words: Vec::new(),
            variables: Variables::default(),
            workers: self.pool.wanted_workers(),
            fewer: None,
        };
        let had = before.workers;
        let fewer = (is_scaled && takes == Takes::Reload && workers < before.workers).then_some(workers);
        let origin = self.configuring.origin.as_mut();
        let (old_words, old_variables) = origin.map_or_else(Default::default, |origin| {
            (std::mem::replace(&mut origin.words, words), std::mem::replace(&mut origin.variables, variables))
        });
        self.put_in_force(takes == Takes::Reload);
        if is_scaled && fewer.is_none() {
            self.scale(ScaleTo::To(workers))?;
        }
        if takes != Takes::Reload {
            return Ok(if is_scaled { Changed::Scaled(workers) } else { Changed::AtOnce });
        }
        let ticket = self.reload();
        self.configuring.under_way =
            Some(Before { ticket, words: old_words, variables: old_variables, fewer, ..before });
        Ok(Changed::Reloads { ticket, workers: if is_scaled { workers } else { had } })
    }

    /// A reload has ended. If it failed that a change had to have, all is as before the change.
    pub(in crate::event_loop) fn settle_change(&mut self, ticket: u64, reloaded: &Reloaded) {
        let Some(before) = self.configuring.under_way.take_if(|before| before.ticket == ticket) else {
            return;
        };
        match reloaded {
            // The newer one brings the same.
            Reloaded::Superseded => {
                let ticket = self.reloads.last;
                self.configuring.under_way = Some(Before { ticket, ..before });
            }
            Reloaded::Done { .. } => {
                self.put_in_force(false);
                if let Some(workers) = before.fewer {
                    // Refused only where the number is none that a cluster can have, which was checked.
                    let _ = self.scale(ScaleTo::To(workers));
                }
            }
            Reloaded::Stopped => {}
            Reloaded::Failed { .. } => {
                let Before { config, words, variables, workers, .. } = before;
                self.config = config;
                if let Some(origin) = &mut self.configuring.origin {
                    (origin.words, origin.variables) = (words, variables);
                }
                self.put_in_force(false);
                // Refused only where the number is none that there was before.
                let _ = self.scale(ScaleTo::To(workers));
                log::warn!("the configuration is what it was before the change");
            }
        }
    }

    /// Has the core and the monitor go by the configuration. While it is tried out by a reload, workers that were replaced before a failure go
    /// back, whatever is to become of them in other reloads.
    fn put_in_force(&mut self, is_tried: bool) {
        let mut settings = settings_of(&self.config, 0);
        if is_tried {
            settings.rollout.rollback = Rollback::All;
        }
        let health = &self.config.settings.health;
        self.health.monitor = Monitor::new(self.now, health.lag_limit.map(|limit| limit / 5), health.pulse);
        self.input(Input::Configure { settings: Box::new(settings) });
        self.set_timetable();
        self.timers.changed();
    }
}

/// What the core is told; a share of the memory is known only here.
pub(in crate::event_loop) fn settings_of(config: &Config, seed: u64) -> Settings {
    let mut settings = config.pool_settings(seed);
    let share = |percent| {
        let bytes = memory_share::available()? / 100 * u64::from(percent);
        Some((bytes / u64::from(settings.workers.max(1))).max(1))
    };
    if let Some(MemoryLimit::Percent(percent)) = settings.recycle.memory_limit {
        settings.recycle.memory_limit = share(percent).map(MemoryLimit::Bytes);
    }
    settings
}
