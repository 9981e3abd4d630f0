//! What a command can be run on, and a command for it as the option gives it: `EVENT=COMMAND`.

use super::command_line::CommandLine;
use std::fmt;
use std::str::FromStr;

/// Something that happens in a cluster and that a command can be run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookEvent {
    /// The cluster begins: the first workers are about to be started.
    Start,
    /// A worker is ready.
    WorkerReady,
    /// The process of a worker has ended.
    WorkerExit,
    /// A worker is out of rotation because it lags or takes nothing, or is ended because it hangs or is unwell.
    Unhealthy,
    /// A reload has come to nothing.
    ReloadFailed,
    /// The cluster was told to stop: it serves on while its workers drain.
    Draining,
    /// The cluster is at rest.
    Stop,
}

/// Every event, and its name.
const NAMES: [(HookEvent, &str); 7] = [
    (HookEvent::Start, "start"),
    (HookEvent::WorkerReady, "worker_ready"),
    (HookEvent::WorkerExit, "worker_exit"),
    (HookEvent::Unhealthy, "unhealthy"),
    (HookEvent::ReloadFailed, "reload_failed"),
    (HookEvent::Draining, "draining"),
    (HookEvent::Stop, "stop"),
];

impl HookEvent {
    /// As the option and the JSON have it.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(event, _)| *event == self).map_or("", |(_, name)| name)
    }
}

impl fmt::Display for HookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A command, and the event that it is run on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnEvent {
    /// When it is run.
    pub event: HookEvent,
    /// What is run.
    pub command: CommandLine,
}

impl OnEvent {
    /// This command on this event.
    pub fn new(event: HookEvent, command: CommandLine) -> Self {
        Self { event, command }
    }
}

impl FromStr for OnEvent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, command) = text.split_once('=').ok_or("write it as EVENT=COMMAND")?;
        // A name is written with - elsewhere on the command line.
        let known = name.trim().replace('-', "_");
        let event = NAMES.iter().find(|(_, name)| *name == known).map(|(event, _)| *event);
        let names = || NAMES.map(|(_, name)| name).join(", ");
        let event = event.ok_or_else(|| match name {
            "before_start" | "before-start" => "for this there is --before-start COMMAND".to_owned(),
            "before_reload" | "before-reload" => "for this there is --before-reload COMMAND".to_owned(),
            _ => format!("there is no event {name:?}; there are {}", names()),
        })?;
        Ok(Self { event, command: command.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_and_a_command() {
        let read = |text: &str| text.parse::<OnEvent>();
        let on = read("worker_exit=./notify.sh --level=2").unwrap();
        assert_eq!(
            (on.event, on.command.to_string().as_str()),
            (HookEvent::WorkerExit, "./notify.sh --level=2")
        );
        assert_eq!(read("worker-ready=true").unwrap().event, HookEvent::WorkerReady);
        for (event, name) in NAMES {
            assert_eq!(read(&format!("{name}=true")).unwrap().event, event);
        }
        for (text, why) in [
            ("true", "EVENT=COMMAND"),
            ("exit=true", "there is no event \"exit\"; there are start, worker_ready,"),
            ("before_start=true", "--before-start COMMAND"),
            ("stop=", "no program"),
        ] {
            let told = read(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
