//! The lines of the control socket, in both directions: bytes to values and back. Shared by the supervisor and its
//! clients; reads and writes nothing by itself.

use crate::api::{Command, Difference, Event, Failure, Inspection, Logs, Reply, VERSION};
use crate::io::output::plain::{self, Plain};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The longest request, without its end of line. One may hold an app's variables, of which a start can pass on 128 KiB, and its command.
pub(crate) const MAX_REQUEST: usize = 256 * 1024;

/// A line that holds nothing to carry out, or a client that may not ask; the words of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Fault {
    #[error("not a request: {what}")]
    BadRequest {
        #[serde(skip)]
        what: String,
    },
    #[error("this supervisor speaks version {speaks} of the protocol, not {asked}")]
    Version {
        speaks: u32,
        #[serde(skip)]
        asked: String,
    },
    #[error("user {uid} may not control this cluster")]
    Forbidden { uid: u32 },
    #[error("{clients} clients are connected already; try again later")]
    Busy { clients: usize },
}

/// Why a command was not carried out, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub(crate) struct Declined {
    /// The exit code that fits it.
    pub(crate) code: u8,
    /// One line.
    pub(crate) error: String,
    /// What a process that came to nothing wrote last, where that is the matter.
    pub(crate) stderr: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    #[serde(flatten)]
    body: T,
}

#[derive(Serialize)]
struct Dated<'a> {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<u64>,
    #[serde(flatten)]
    event: &'a Event,
}

#[derive(Serialize)]
struct Good<'a> {
    v: u32,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inspection: Option<&'a Inspection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<&'a Logs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<&'a [Difference]>,
}

impl Good<'_> {
    const DONE: Self =
        Self { v: VERSION, ok: true, told: None, inspection: None, logs: None, differences: None };
}

#[derive(Serialize)]
struct Bad<'a, T> {
    v: u32,
    ok: bool,
    code: u8,
    error: String,
    #[serde(flatten)]
    why: &'a T,
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    code: Option<u8>,
    error: Option<String>,
    #[serde(default)]
    stderr: Vec<String>,
    told: Option<String>,
    inspection: Option<Inspection>,
    logs: Option<Logs>,
    differences: Option<Vec<Difference>>,
}

/// The exit code of a command line that was told this.
pub(crate) fn exit_code(failure: &Failure) -> u8 {
    match failure {
        Failure::NoSuchWorker { .. } => 3,
        Failure::TimedOut { .. } => 4,
        Failure::ReloadFailed { .. } => 5,
        Failure::Refused { .. } | Failure::NotRunning => 1,
    }
}

impl Fault {
    fn exit_code(&self) -> u8 {
        match self {
            Self::BadRequest { .. } => 2,
            Self::Version { .. } | Self::Forbidden { .. } | Self::Busy { .. } => 1,
        }
    }
}

/// A request with its end of line.
pub(crate) fn request(command: &Command) -> String {
    line(&Versioned { v: VERSION, body: command })
}

/// Reads a request. Fields that are not known are ignored.
pub(crate) fn read_request(text: &[u8]) -> Result<Command, Fault> {
    read(text).map_err(|error| match error {
        Unreadable::Text(what) => Fault::BadRequest { what },
        Unreadable::Version(asked) => Fault::Version { speaks: VERSION, asked },
    })
}

/// An answer with its end of line.
pub(crate) fn answer(result: &Result<Reply, Failure>) -> String {
    match result {
        Ok(Reply::Done) => line(&Good::DONE),
        Ok(Reply::Told(told)) => line(&Good { told: Some(one_line(told)), ..Good::DONE }),
        Ok(Reply::Inspection(inspection)) => line(&Good { inspection: Some(inspection), ..Good::DONE }),
        Ok(Reply::Logs(logs)) => line(&Good { logs: Some(logs), ..Good::DONE }),
        Ok(Reply::Differences(differences)) => line(&Good { differences: Some(differences), ..Good::DONE }),
        Err(why) => bad(exit_code(why), &why.to_string(), why),
    }
}

/// The answer to a line that is no request.
pub(crate) fn fault(fault: &Fault) -> String {
    bad(fault.exit_code(), &fault.to_string(), fault)
}

/// Reads an answer.
pub(crate) fn read_answer(text: &[u8]) -> Result<Reply, Declined> {
    let odd = |what: String| Declined {
        code: 1,
        error: format!("the supervisor's answer is odd: {what}"),
        stderr: Vec::new(),
    };
    let answer: Answer = read(text).map_err(|error| match error {
        Unreadable::Text(what) => odd(what),
        Unreadable::Version(theirs) => Declined {
            code: 1,
            error: format!(
                "the supervisor speaks version {theirs} of the protocol, this program version {VERSION}"
            ),
            stderr: Vec::new(),
        },
    })?;
    match (answer.ok, answer.inspection, answer.logs, answer.differences) {
        (true, Some(inspection), ..) => Ok(Reply::Inspection(inspection)),
        (true, None, Some(logs), _) => Ok(Reply::Logs(logs)),
        (true, None, None, Some(differences)) => Ok(Reply::Differences(differences)),
        (true, None, None, None) => Ok(answer.told.map_or(Reply::Done, |told| Reply::Told(one_line(&told)))),
        (false, ..) => Err(Declined {
            code: answer.code.unwrap_or(1),
            error: answer.error.ok_or_else(|| odd("it does not say what is wrong".to_owned()))?,
            stderr: answer.stderr,
        }),
    }
}

/// An event with its end of line, and when it happened, in milliseconds since the Unix epoch.
pub(crate) fn event(event: &Event, at: Option<u64>) -> String {
    line(&Dated { v: VERSION, at, event })
}

/// What a hook is told of an event of this cluster: the same, and for what it is run.
pub(crate) fn hook(cluster: &str, hook: &str, event: &Event, at: u64) -> String {
    #[derive(Serialize)]
    struct Told<'a> {
        cluster: &'a str,
        hook: &'a str,
        #[serde(flatten)]
        event: Dated<'a>,
    }
    line(&Told { cluster, hook, event: Dated { v: VERSION, at: Some(at), event } })
}

/// When an event happened, if its line says so.
pub(crate) fn read_time(text: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Time {
        at: Option<u64>,
    }
    serde_json::from_slice::<Time>(text).ok()?.at
}

/// Reads an event; `None` if it is of a kind that this version does not know.
pub(crate) fn read_event(text: &[u8]) -> Option<Event> {
    read(text).ok()
}

fn bad<T: Serialize>(code: u8, error: &str, why: &T) -> String {
    line(&Bad { v: VERSION, ok: false, code, error: one_line(error), why })
}

fn one_line(text: &str) -> String {
    Plain(text).to_string()
}

fn line<T: Serialize>(value: &T) -> String {
    // Nothing that is serialized here has keys that are not strings, the only thing that JSON cannot hold.
    let mut line = plain::json(&serde_json::to_string(value).unwrap_or_default()).into_owned();
    line.push('\n');
    line
}

enum Unreadable {
    Text(String),
    Version(String),
}

fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    let value: Value =
        serde_json::from_slice(text).map_err(|error| Unreadable::Text(format!("no JSON: {error}")))?;
    if !value.is_object() {
        return Err(Unreadable::Text("it must be a JSON object".to_owned()));
    }
    match value.get("v") {
        Some(version) if version.as_u64() == Some(u64::from(VERSION)) => {}
        Some(other) => return Err(Unreadable::Version(shorten(&other.to_string()))),
        None => return Err(Unreadable::Text(format!("it needs \"v\":{VERSION}"))),
    }
    serde_json::from_value(value).map_err(|error| Unreadable::Text(shorten(&error.to_string())))
}

/// What came from outside and goes into a line.
fn shorten(text: &str) -> String {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
// Said, because the fuzz targets compile this file in under another path.
#[path = "wire/tests.rs"]
mod tests;
