//! Small servers that answer by a script, each kind of answer as a command line takes it.

use super::*;
use crate::api::{Event, Target};
use crate::cli::connection::waiting::carry_out;
use crate::io::scratch::Scratch;
use std::os::unix::net::UnixListener;
use std::thread::JoinHandle;

/// Serves one client: reads a line for each answer, sends the answers and hangs up.
pub(crate) struct Script {
    scratch: Scratch,
    serving: JoinHandle<Vec<String>>,
}

impl Script {
    pub(crate) fn new(answers: &[&str]) -> Self {
        let scratch = Scratch::new();
        let listener = UnixListener::bind(scratch.path().join("c.sock")).unwrap();
        let answers: Vec<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let serving = std::thread::spawn(move || {
            let mut link = BufReader::new(listener.accept().unwrap().0);
            let mut heard = Vec::new();
            for answer in answers {
                let mut line = String::new();
                link.read_line(&mut line).unwrap();
                heard.push(line.trim_end().to_owned());
                link.get_mut().write_all(answer.as_bytes()).unwrap();
            }
            heard
        });
        Self { scratch, serving }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.scratch.path().join("c.sock")).unwrap()
    }

    /// What it was asked.
    pub(crate) fn heard(self) -> Vec<String> {
        self.serving.join().unwrap()
    }
}

fn restart() -> Command {
    Command { action: Action::Restart { target: Target::Worker("2".to_owned()) }, wait_ms: Some(5) }
}

#[test]
fn what_the_supervisor_says_is_the_result() {
    let script = Script::new(&[
        "{\"v\":1,\"ok\":true}\n",
        "{\"v\":1,\"ok\":false,\"code\":3,\"error\":\"no worker 2\",\"kind\":\"no_such_worker\"}\n",
        "{\"v\":7,\"ok\":true}\n",
        "what?\n",
    ]);
    let mut client = script.client();
    let mut ask = || client.ask(&restart()).unwrap().map(drop);
    assert_eq!(ask(), Ok(()));
    assert_eq!(ask(), Err(Failed::new(3, "no worker 2")));
    assert!(ask().unwrap_err().message.unwrap().contains("speaks version 7"));
    assert!(ask().unwrap_err().message.unwrap().contains("odd"));
    assert!(matches!(client.ask(&restart()), Err(Unanswered::Ended)));
    let heard = script.heard();
    assert_eq!(heard[0], r#"{"v":1,"do":"restart","target":{"worker":"2"},"wait_ms":5}"#);
}

#[test]
fn one_that_is_turned_away_learns_why() {
    let scratch = Scratch::new();
    let path = scratch.path().join("c.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = Client::connect(&path).unwrap();
    let mut link = listener.accept().unwrap().0;
    link.write_all(b"{\"v\":1,\"ok\":false,\"code\":1,\"error\":\"user 7 may not\"}\n").unwrap();
    drop(link);
    assert_eq!(client.ask(&restart()).unwrap().map(drop), Err(Failed::new(1, "user 7 may not")));
}

#[test]
fn a_cut_line_is_none() {
    let script = Script::new(&["{\"v\":1,\"ok\":tr"]);
    assert!(matches!(script.client().ask(&restart()), Err(Unanswered::Ended)));
}

#[test]
fn events_follow_until_the_end() {
    let script = Script::new(&[
        "{\"v\":1,\"ok\":true}\n{\"v\":1,\"event\":\"missed\",\"count\":3}\n{\"v\":1,\"event\":\"new\"}\n",
    ]);
    let mut client = script.client();
    client.ask(&Command { action: Action::Events, wait_ms: None }).unwrap().unwrap();
    let first = client.follow().unwrap().unwrap();
    assert_eq!(wire::read_event(&first), Some(Event::Missed { count: 3 }));
    assert_eq!(wire::read_event(&client.follow().unwrap().unwrap()), None);
    assert!(client.follow().unwrap().is_none());
}

#[test]
fn a_cluster_that_ends_while_it_is_told_to_stop_has_stopped() {
    let stop = |target| Command { action: Action::Stop { target }, wait_ms: Some(1) };
    let answers = ["{\"v\":1,\"ok\":true}\n"];
    for (answers, command, code) in [
        (&[""][..], stop(Target::Cluster), Ok(())),
        (&answers, stop(Target::Cluster), Ok(())),
        (&[""], stop(Target::Worker("1".to_owned())), Err(1)),
        (&[""], restart(), Err(1)),
    ] {
        let script = Script::new(answers);
        let result = carry_out(&mut script.client(), "web", &command);
        assert_eq!(result.map_err(|failed| failed.code), code, "{command:?}");
    }
}

#[test]
fn one_that_does_not_answer_is_named_as_far_as_it_is_known() {
    let limit = Duration::from_secs(10);
    for (supervisor, state, told) in [
        (None, None, "the supervisor has not answered within 10s"),
        (Some(7), None, "the supervisor, process 7, has not answered within 10s"),
        (Some(7), Some('R'), "the supervisor, process 7, has not answered within 10s"),
        (
            Some(7),
            Some('T'),
            "the supervisor, process 7, has not answered within 10s: it is stopped; `kill -CONT 7` lets it go on",
        ),
        (
            Some(7),
            Some('t'),
            "the supervisor, process 7, has not answered within 10s: a debugger has stopped it",
        ),
    ] {
        assert_eq!(silent(supervisor, state, limit), told);
    }
}

#[test]
fn one_that_is_stopped_is_not_waited_for_longer_than_asked() {
    for (state, expected) in
        [(Some('T'), Duration::ZERO), (Some('t'), Duration::ZERO), (Some('R'), GRACE), (None, GRACE)]
    {
        assert_eq!(grace(state), expected, "{state:?}");
    }
}

#[test]
fn the_time_that_was_asked_for_is_the_one_that_is_told() {
    let scratch = Scratch::new();
    let path = scratch.path().join("c.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = Client::connect(&path).unwrap();
    let _link = listener.accept().unwrap();
    let Err(Unanswered::Failed(failed)) = client.ask(&restart()) else { panic!("nobody answers") };
    let message = failed.message.unwrap();
    assert!(message.ends_with(", has not answered within 5ms"), "{message}");
}
