//! All workers get a new process because it is time: by a reload, or by a restart of one after the other. What is due is asked of the core,
//! and carried out as if somebody had asked for it.

use super::super::Shell;
use super::super::os::Os;
use crate::api::Scheduled;
use crate::pool::{Deed, Entry, Notice, Phase};
use crate::settings::{Schedule, Zone};

impl<O: Os> Shell<O> {
    /// The schedules of the configuration are in force from now on.
    pub(in crate::event_loop) fn set_timetable(&mut self) {
        let schedules = &self.config.settings.schedules;
        let has_some = !schedules.reload_at.is_empty() || !schedules.restart_at.is_empty();
        if !has_some && self.reloads.timetable.entries().is_empty() {
            return;
        }
        let (wall, zone) = (self.os.wall_time(), self.zone(true));
        let before = self.reloads.timetable.entries().to_vec();
        self.reloads.timetable.set(schedules, wall, &zone);
        for entry in self.reloads.timetable.entries().iter().filter(|entry| !before.contains(entry)) {
            match entry.next {
                Some(next) => log::info!(
                    "{}: the first time is {}",
                    words(entry.deed, &entry.schedule),
                    zone.text(next)
                ),
                None => log::warn!("{}: that time never comes", words(entry.deed, &entry.schedule)),
            }
        }
        self.rest_until_next(wall);
    }

    /// Does what is due by the wall clock.
    pub(in crate::event_loop) fn look_at_timetable(&mut self) {
        let (wall, zone) = (self.os.wall_time(), self.zone(false));
        for notice in self.reloads.timetable.look(wall, &zone) {
            self.on_scheduled(&notice, &zone);
        }
        self.rest_until_next(wall);
    }

    fn on_scheduled(&mut self, notice: &Notice, zone: &Zone) {
        let Notice { deed, ref schedule, is_due, missed } = *notice;
        if self.stop_requests.any() || self.pool.phase() != Phase::Serving {
            return;
        }
        let option = words(deed, schedule);
        if let Some((first, last)) = missed {
            let times = match first == last {
                true => zone.text(first),
                false => format!("what was due from {} to {}", zone.text(first), zone.text(last)),
            };
            log::warn!(
                "{option}: {times} was missed, since the machine slept or its clock was set; it is not made up for"
            );
        }
        if !is_due {
            return;
        }
        if self.pool.is_reloading() {
            log::warn!("{option}: skipped, for a reload is under way");
            return;
        }
        match deed {
            Deed::Reload => {
                log::info!("reload, as {option} says");
                self.reload();
            }
            Deed::Restart => {
                log::info!("restart of one worker after the other, as {option} says");
                self.restart_in_turn();
            }
        }
    }

    /// What is scheduled, for people.
    pub(in crate::event_loop) fn scheduled(&self) -> Vec<Scheduled> {
        let entries = self.reloads.timetable.entries();
        let zone = if entries.is_empty() { Zone::utc() } else { self.zone(false) };
        let described = |entry: &Entry| Scheduled {
            what: match entry.deed {
                Deed::Reload => "reload".to_owned(),
                Deed::Restart => "restart".to_owned(),
            },
            schedule: entry.schedule.to_string(),
            next_at: entry.next,
            next_local: entry.next.map(|next| zone.text(next)),
        };
        entries.iter().map(described).collect()
    }

    /// Where nothing is scheduled the clock is not looked at.
    fn rest_until_next(&mut self, wall: u64) {
        self.reloads.look_at = self.reloads.timetable.rest(wall).and_then(|rest| self.now.checked_add(rest));
        self.timers.changed();
    }

    /// That of this machine; one that cannot be read is told of where somebody `is_told`.
    fn zone(&self, is_told: bool) -> Zone {
        self.os.zone().unwrap_or_else(|error| {
            if is_told {
                log::warn!("the time zone of this machine cannot be read ({error}): schedules go by UTC");
            }
            Zone::utc()
        })
    }
}

fn words(deed: Deed, schedule: &Schedule) -> String {
    let option = match deed {
        Deed::Reload => "--reload-at",
        Deed::Restart => "--restart-at",
    };
    format!("{option} '{schedule}'")
}
