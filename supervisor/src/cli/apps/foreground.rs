//! `clustermon up` without -d: stays while the apps run, passes signals on and stops them in their order.

use super::child::{self, Started};
use super::plan::Wanted;
use super::running::{self, Planned, before};
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::Failed;
use crate::config::{LogFormat, LogTime};
use crate::event_loop::clock;
use crate::io::events::signals::{self, Event, Signals};
use crate::io::events::source::Source;
use crate::io::kernel::dispositions::Dispositions;
use crate::io::output::log;
use crate::io::readiness::service_manager::ServiceManager;
use ::log::LevelFilter;
use mio::{Events, Poll, Waker};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::process::ExitCode;

/// What became of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waits,
    /// Its process lives, and may be told to stop already.
    Runs {
        pid: u32,
        ready: bool,
        told: bool,
    },
    /// It runs in another process, as the file says or as it is to be left.
    Elsewhere,
    /// The same, and it could not be changed to what the file says.
    NotChanged,
    Ended {
        well: bool,
    },
    /// One before it is not ready.
    NotStarted,
}

/// What the threads of the apps and the one that reads the signals share.
#[derive(Debug)]
struct Shared<'a> {
    wanted: Wanted<'a>,
    apps: &'a [Planned],
    progress: Mutex<Progress>,
    changed: Condvar,
    waker: Waker,
    dispositions: Dispositions,
}

#[derive(Debug)]
struct Progress {
    states: Vec<State>,
    stopping: bool,
}

/// Runs them until all have ended.
pub(super) fn run(wanted: Wanted<'_>) -> Result<ExitCode, Failed> {
    let failed = |error: io::Error| Failed::new(1, format!("cannot wait for the apps: {error}"));
    let apps = wanted.apps;
    // Before the first thread is started, which has the mask of this one.
    let blocked = signals::block().map_err(failed)?;
    // What the service manager cannot be told is said here.
    let _log = log::init(LevelFilter::Warn, "up", LogFormat::Text, LogTime::Auto).map_err(failed)?;
    let mut poll = Poll::new().map_err(failed)?;
    let signals = Signals::open(blocked, poll.registry()).map_err(failed)?;
    let waker = Waker::new(poll.registry(), Source::Waker.into()).map_err(failed)?;
    let shared = Shared {
        wanted,
        apps,
        progress: Mutex::new(Progress { states: vec![State::Waits; apps.len()], stopping: false }),
        changed: Condvar::new(),
        waker,
        dispositions: *signals.original(),
    };
    let mut manager = ServiceManager::from_environment(clock());
    let mut is_told = false;
    let mut last = None;
    std::thread::scope(|scope| {
        for number in 0..apps.len() {
            let shared = &shared;
            scope.spawn(move || shared.run_one(number));
        }
        let mut events = Events::with_capacity(8);
        while !shared.is_over() {
            let rest = manager.next_deadline().map(|at| at.saturating_duration_since(clock()));
            match poll.poll(&mut events, rest) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    // The threads end with the apps.
                    shared.hear(Event::Stop(Signal::SIGTERM));
                    shared.progress.lock().pass_on(Signal::SIGTERM);
                    return Err(failed(error));
                }
                _ => {}
            }
            manager.handle_timeout(clock());
            while let Some(event) = signals.next() {
                if matches!(event, Event::Stop(_)) {
                    manager.stopping(clock());
                }
                shared.hear(event);
            }
            shared.stop_who_is_free();
            let settled = shared.settled();
            if !is_told && settled.is_some() {
                is_told = true;
                manager.ready(clock());
            }
            if let Some(ready) = settled.filter(|ready| last != Some(*ready)) {
                last = Some(ready);
                let told = count(ready, apps.len());
                manager.status(&told, clock());
                complain(told);
            }
        }
        Ok(())
    })?;
    let states = shared.progress.into_inner().states;
    let all = states.iter().all(|state| matches!(state, State::Ended { well: true } | State::Elsewhere));
    Ok(ExitCode::from(u8::from(!all)))
}

fn count(ready: usize, all: usize) -> String {
    match (ready, all) {
        (1, 1) => "the app runs".to_owned(),
        _ if ready == all => format!("all {all} apps run"),
        _ => format!("{ready} of {all} apps run"),
    }
}

impl Shared<'_> {
    /// The life of one app, on a thread of its own.
    fn run_one(&self, number: usize) {
        let name = &self.apps[number].0.name;
        if let Err(state) = self.wait_for_those_before(number) {
            return self.set(number, state);
        }
        if let Some(is_good) = self.wanted.settle(number) {
            return self.set(number, if is_good { State::Elsewhere } else { State::NotChanged });
        }
        let Some(Started { mut child, ready }) = self.start(number) else { return };
        let pid = child.id();
        if child::is_ready(ready) {
            let mut progress = self.progress.lock();
            if let State::Runs { ready, .. } = &mut progress.states[number] {
                *ready = true;
            }
            drop(progress);
            self.tell();
        }
        child::wait_for_end(&child);
        let mut progress = self.progress.lock();
        let was_ready = matches!(progress.states[number], State::Runs { ready: true, .. });
        let status = child.wait();
        let well = status.as_ref().is_ok_and(|status| status.success());
        progress.states[number] = State::Ended { well };
        let is_told = progress.stopping;
        drop(progress);
        if !is_told || !well {
            let how = status.map_or_else(|error| error.to_string(), child::how);
            let when = if was_ready { "" } else { " before it was ready" };
            complain(format_args!("{name}: process {pid} has ended {how}{when}"));
        }
        self.tell();
    }

    /// Waits until all are ready that it comes after; or says what becomes of it if it is not to start.
    fn wait_for_those_before(&self, number: usize) -> Result<(), State> {
        let before = before(self.apps, number);
        let mut progress = self.progress.lock();
        loop {
            let is_ready =
                |state: &State| matches!(state, State::Runs { ready: true, .. } | State::Elsewhere);
            let is_lost =
                |state: &State| matches!(state, State::Ended { .. } | State::NotStarted | State::NotChanged);
            let states = || before.iter().map(|number| &progress.states[*number]);
            if progress.stopping {
                return Err(State::Ended { well: true });
            }
            if let Some(lost) = before.iter().find(|number| is_lost(&progress.states[**number])) {
                let (name, other) = (&self.apps[number].0.name, &self.apps[*lost].0.name);
                complain(format_args!("{name}: not started, because {other} is not ready"));
                running::leave_word(&self.apps[number], &format!("{other} is not ready"));
                return Err(State::NotStarted);
            }
            if states().all(is_ready) {
                return Ok(());
            }
            self.changed.wait(&mut progress);
        }
    }

    /// Starts it, unless all are to stop.
    fn start(&self, number: usize) -> Option<Started> {
        let mut progress = self.progress.lock();
        let started = if progress.stopping {
            None
        } else {
            Some(child::start(&self.apps[number], self.wanted.file, self.dispositions))
        };
        let (state, started) = match started {
            Some(Ok(started)) => {
                (State::Runs { pid: started.child.id(), ready: false, told: false }, Some(started))
            }
            Some(Err(error)) => {
                complain(format_args!("{}: cannot be started: {error}", self.apps[number].0.name));
                (State::Ended { well: false }, None)
            }
            None => (State::Ended { well: true }, None),
        };
        progress.states[number] = state;
        drop(progress);
        self.tell();
        started
    }

    fn set(&self, number: usize, state: State) {
        self.progress.lock().states[number] = state;
        self.tell();
    }

    /// Something has changed for the others.
    fn tell(&self) {
        self.changed.notify_all();
        // It fails only where there is no memory for a counter that is there already.
        let _ = self.waker.wake();
    }

    fn is_over(&self) -> bool {
        let is_over = |state: &State| {
            matches!(state, State::Ended { .. } | State::NotStarted | State::Elsewhere | State::NotChanged)
        };
        self.progress.lock().states.iter().all(is_over)
    }

    /// How many are ready, once no other is on its way there: what has failed does not hold up what is told of the others. `None` before,
    /// where none is ready, and when all are to stop.
    fn settled(&self) -> Option<usize> {
        let progress = self.progress.lock();
        let is_ready = |state: &&State| matches!(state, State::Runs { ready: true, .. } | State::Elsewhere);
        let is_on_its_way = |state: &State| matches!(state, State::Waits | State::Runs { ready: false, .. });
        let ready = progress.states.iter().filter(is_ready).count();
        let is_settled = ready > 0 && !progress.stopping && !progress.states.iter().any(is_on_its_way);
        is_settled.then_some(ready)
    }

    /// What a signal to this process means for the apps.
    fn hear(&self, event: Event) {
        match event {
            Event::Stop(signal) => {
                let mut progress = self.progress.lock();
                // Who asks again is passed on to all at once.
                if progress.stopping {
                    progress.pass_on(signal);
                }
                progress.stopping = true;
                drop(progress);
                self.changed.notify_all();
            }
            Event::Reload => self.progress.lock().pass_on(Signal::SIGHUP),
            Event::Forward(signal) => self.progress.lock().pass_on(signal),
            // How many workers there are is a matter of each app.
            Event::ScaleUp | Event::ScaleDown | Event::Child => {}
        }
    }

    /// When all are to stop: those are told that no app which runs comes after.
    fn stop_who_is_free(&self) {
        let mut progress = self.progress.lock();
        if !progress.stopping {
            return;
        }
        for number in 0..self.apps.len() {
            let name = &self.apps[number].0.name;
            let is_needed = self.apps.iter().zip(&progress.states).any(|((other, _), state)| {
                matches!(state, State::Runs { .. }) && other.after.iter().any(|(before, _)| before == name)
            });
            if let State::Runs { pid, told, .. } = &mut progress.states[number]
                && !*told
                && !is_needed
            {
                *told = true;
                send(*pid, Signal::SIGTERM);
            }
        }
    }
}

impl Progress {
    fn pass_on(&self, signal: Signal) {
        for state in &self.states {
            if let State::Runs { pid, .. } = state {
                send(*pid, signal);
            }
        }
    }
}

/// It is a child that nobody has waited for yet, so the number is its own.
fn send(pid: u32, signal: Signal) {
    // It fails only for one that has ended.
    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
}
