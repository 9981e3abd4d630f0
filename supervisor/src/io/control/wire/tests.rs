//! Lines of every kind there and back, and the examples of docs/control.md.

use super::*;
use crate::api::{Action, ScaleTo, Target};

#[test]
fn requests_survive_the_way() {
    let worker = || Target::Worker("a\"b".to_owned());
    for action in [
        Action::Inspect,
        Action::Events,
        Action::Start { target: Target::Cluster },
        Action::Restart { target: worker() },
        Action::Signal { target: worker(), signal: 10 },
        Action::Reopen,
        Action::Flush,
        Action::Scale { workers: ScaleTo::To(4) },
        Action::Scale { workers: ScaleTo::By(-1) },
    ] {
        for wait_ms in [None, Some(u64::MAX)] {
            let command = Command { action: action.clone(), wait_ms };
            let line = request(&command);
            assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "{line}");
            assert_eq!(read_request(line.as_bytes()), Ok(command));
        }
    }
}

#[test]
fn what_is_no_request_is_told_in_one_line() {
    for (text, part) in [
        ("", "no JSON"),
        ("{", "no JSON"),
        ("\u{0}\u{1}", "no JSON"),
        ("[1]", "must be a JSON object"),
        ("{}", "needs \"v\":1"),
        (r#"{"v":1}"#, "do"),
        (r#"{"v":1,"do":"fly"}"#, "fly"),
        (r#"{"v":1,"do":"stop"}"#, "target"),
        (r#"{"v":1,"do":"stop","target":{"worker":7}}"#, "string"),
        (r#"{"v":1,"do":"inspect","wait_ms":-1}"#, "-1"),
        (r#"{"v":2,"do":"inspect"}"#, "speaks version 1 of the protocol, not 2"),
        (r#"{"v":"1","do":"inspect"}"#, "not \"1\""),
    ] {
        let error = read_request(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
        let line = fault(&error);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let declined = read_answer(line.as_bytes()).unwrap_err();
        assert_eq!((declined.error, declined.code), (error.to_string(), error.exit_code()));
    }
    let deep = "[".repeat(60_000);
    assert!(read_request(deep.as_bytes()).is_err());
    let long = format!(r#"{{"v":1,"do":"{}"}}"#, "é".repeat(30_000));
    assert!(read_request(long.as_bytes()).unwrap_err().to_string().len() < 600);
}

#[test]
fn answers_survive_the_way() {
    assert_eq!(answer(&Ok(Reply::Done)), "{\"v\":1,\"ok\":true}\n");
    assert_eq!(read_answer(b"{\"v\":1,\"ok\":true}"), Ok(Reply::Done));
    for (failure, code) in [
        (Failure::NoSuchWorker { id: "7".into(), known: "0, 1".into() }, 3),
        (Failure::TimedOut { waited_ms: 5, what: "a\nb".into() }, 4),
        (Failure::Refused { what: "no".into() }, 1),
        (Failure::NotRunning, 1),
    ] {
        let line = answer(&Err(failure.clone()));
        let declined = read_answer(line.as_bytes()).unwrap_err();
        assert_eq!(declined.code, code);
        assert_eq!(declined.error, failure.to_string().replace('\n', "\\n"));
        assert!(line.contains("\"kind\":\""), "{line}");
    }
    for odd in ["", "x", "{}", "{\"v\":1}", "{\"v\":1,\"ok\":false}", "{\"v\":9,\"ok\":true}"] {
        assert_eq!(read_answer(odd.as_bytes()).unwrap_err().code, 1, "{odd}");
    }
}

/// The lines of the document's blocks of one kind.
fn examples(kind: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/control.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = Vec::new();
    for block in text.split(&format!("```json {kind}\n")).skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        lines.extend(block.lines().map(str::to_owned));
    }
    assert!(!lines.is_empty(), "{kind}");
    lines
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The words under `key` in the examples, each once.
fn words(lines: &[String], key: &str) -> Vec<String> {
    let words = lines.iter().filter_map(|line| Some(value(line).get(key)?.as_str()?.to_owned()));
    words.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

/// What serde says that it knows, when it is given something that it does not.
fn known(error: impl std::fmt::Display) -> Vec<String> {
    let error = error.to_string();
    let (_, list) = error.split_once("expected one of ").unwrap_or_else(|| panic!("{error}"));
    let mut known: Vec<_> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    known.sort();
    known
}

#[test]
fn the_document_tells_every_request() {
    let lines = examples("request");
    for line in &lines {
        let command = read_request(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(value(&request(&command)), value(line));
    }
    let all = serde_json::from_str::<Command>(r#"{"do":"?"}"#).unwrap_err();
    assert_eq!(words(&lines, "do"), known(all));
}

#[test]
fn the_document_tells_every_answer() {
    let lines = examples("answer");
    for line in &lines {
        let result = match read_answer(line.as_bytes()) {
            Ok(reply) => Ok(reply),
            Err(_) => Err(serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))),
        };
        assert_eq!(value(&answer(&result)), value(line));
    }
    let all = serde_json::from_str::<Failure>(r#"{"kind":"?"}"#).unwrap_err();
    assert_eq!(words(&lines, "kind"), known(all));
    assert!(lines.iter().any(|line| line.contains("inspection")));
}

#[test]
fn the_document_tells_every_fault() {
    let faults = [
        read_request(b"?").unwrap_err(),
        read_request(br#"{"v":2,"do":"inspect"}"#).unwrap_err(),
        Fault::Forbidden { uid: 1000 },
        Fault::Busy { clients: 64 },
    ];
    let told: Vec<_> = faults.iter().map(|one| value(&fault(one))).collect();
    assert_eq!(told, examples("fault").iter().map(|line| value(line)).collect::<Vec<_>>());
}

#[test]
fn the_document_tells_every_event() {
    let lines = examples("event");
    for line in &lines {
        let read = read_event(line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(value(&event(&read, read_time(line.as_bytes()))), value(line));
    }
    let all = serde_json::from_str::<Event>(r#"{"event":"?"}"#).unwrap_err();
    assert_eq!(words(&lines, "event"), known(all));
}
