//! Another command line for the cluster that runs: compared, put in force as far as that goes without a new supervisor, and taken back if the
//! reload that it takes fails. What an option takes is said elsewhere.

use super::super::Shell;
use super::super::health::monitor::Monitor;
use super::super::os::Os;
use crate::api::{Difference, Failure, ScaleTo, Takes, Variables};
use crate::config::{Comparison, Config, MemoryLimit, Origin, Rollback};
use crate::io::launch::variables::app_variables;
use crate::io::machine::memory_share;
use crate::pool::{Input, Purpose, Reloaded, Settings};
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
    scaling: Option<Scaling>,
}

/// Another number of workers. Who scales the cluster meanwhile has the last word.
#[derive(Clone, Copy, Debug)]
struct Scaling {
    from: u32,
    to: u32,
    /// Fewer only once the reload has succeeded: until then none goes that may be needed.
    is_put_off: bool,
}

/// What has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::event_loop) enum Changed {
    Nothing,
    /// It is in force.
    AtOnce,
    /// It is in force once there are so many workers.
    Scaled(u32),
    /// It is in force once this reload is done and there are as many workers as there are to be.
    Reloads {
        ticket: u64,
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
        if let Some((name, _)) =
            variables.0.iter().find(|(name, value)| !app_variables::is_possible(name, value))
        {
            return Err(refused(format!("no process can be given the variable {name:?}")));
        }
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
        if self.is_reloading() {
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
        let (from, to) =
            (self.pool.wanted_workers(), u32::try_from(config.logical_ids.len()).unwrap_or(u32::MAX));
        let needs_reload = takes == Takes::Reload;
        let is_scaled = differences.iter().any(|found| found.what == "workers");
        let scaling = is_scaled.then_some(Scaling { from, to, is_put_off: needs_reload && to < from });
        let config = std::mem::replace(&mut self.config, config);
        let origin = self.configuring.origin.as_mut();
        let (words, variables) = origin.map_or_else(Default::default, |origin| {
            (std::mem::replace(&mut origin.words, words), std::mem::replace(&mut origin.variables, variables))
        });
        self.put_in_force(needs_reload);
        if scaling.is_some_and(|scaling| !scaling.is_put_off) {
            self.scale(ScaleTo::To(to))?;
        }
        if !needs_reload {
            return Ok(if is_scaled { Changed::Scaled(to) } else { Changed::AtOnce });
        }
        // It may have failed by the time that `reload` returns.
        let ticket = self.reloads.next();
        self.configuring.under_way = Some(Before { ticket, config, words, variables, scaling });
        self.reload();
        Ok(Changed::Reloads { ticket })
    }

    /// Workers are being replaced for more than what one of them has come to, as its age.
    fn is_reloading(&self) -> bool {
        let purpose = self.pool.rollout().map(|rollout| rollout.purpose());
        matches!(purpose, Some(Purpose::Reload { .. } | Purpose::Rollback { .. }))
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
                if let Some(Scaling { from, to, is_put_off: true }) = before.scaling {
                    self.scale_further(from, to);
                }
            }
            Reloaded::Stopped => {}
            Reloaded::Failed { .. } => {
                let Before { config, words, variables, scaling, .. } = before;
                self.config = config;
                if let Some(origin) = &mut self.configuring.origin {
                    (origin.words, origin.variables) = (words, variables);
                }
                self.put_in_force(false);
                if let Some(Scaling { from, to, is_put_off: false }) = scaling {
                    self.scale_further(to, from);
                }
                log::warn!("the configuration is what it was before the change");
            }
        }
    }

    /// Scales if nobody else has done so meanwhile.
    fn scale_further(&mut self, from: u32, to: u32) {
        if self.pool.wanted_workers() == from {
            // Refused only where the number is none that a cluster can have: it had the one, and the other was checked.
            let _ = self.scale(ScaleTo::To(to));
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
