//! Asks several clusters at the same time how they are. One that does not answer holds nobody up: it is told of after a short time.

use crate::api::{Action, Command, Inspection};
use crate::cli::connection::client::{Client, inspection, is_stopped, unheard};
use crate::cli::output::failed::Failed;
use crate::event_loop::clock;
use crate::io::control::wire;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A supervisor that is well answers within some milliseconds; one that is short of a processor may need so long.
const PATIENCE: Duration = Duration::from_secs(1);
/// After so long it is looked whether those that are silent can answer at all.
const SHORT: Duration = Duration::from_millis(100);
/// What is read at a time.
const PORTION: usize = 64 * 1024;

/// The answer of each of these, in their order. Those that could not be connected to keep what was wrong.
pub(in crate::cli) fn inspect(clients: Vec<Result<Client, Failed>>) -> Vec<Result<Inspection, Failed>> {
    let mut asked: Vec<Asked> = clients.into_iter().map(Asked::begin).collect();
    let begun = clock();
    let mut buffer = vec![0; PORTION];
    loop {
        let passed = clock().saturating_duration_since(begun);
        if passed >= SHORT {
            asked.iter_mut().for_each(|one| one.give_up_if_stopped(passed));
        }
        if passed >= PATIENCE || asked.iter().all(|one| one.answer.is_some()) {
            break;
        }
        let until = if passed < SHORT { SHORT } else { PATIENCE };
        wait(&mut asked, until.saturating_sub(passed), &mut buffer);
    }
    asked.into_iter().map(Asked::end).collect()
}

/// One that was asked.
#[derive(Debug)]
struct Asked {
    link: Option<UnixStream>,
    /// The beginning of its answer.
    heard: Vec<u8>,
    answer: Option<Result<Inspection, Failed>>,
}

impl Asked {
    fn begin(client: Result<Client, Failed>) -> Self {
        let begun = client.and_then(|client| {
            let mut link = client.into_link();
            let request = wire::request(&Command { action: Action::Inspect, wait_ms: None });
            let sent = link.set_nonblocking(true).and_then(|()| link.write_all(request.as_bytes()));
            match sent {
                // One that turns us away does not read the request, but says why.
                Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                    Err(Failed::new(1, format!("the supervisor cannot be asked: {error}")))
                }
                _ => Ok(link),
            }
        });
        match begun {
            Ok(link) => Self { link: Some(link), heard: Vec::new(), answer: None },
            Err(failed) => Self { link: None, heard: Vec::new(), answer: Some(Err(failed)) },
        }
    }

    /// Reads what there is.
    fn hear(&mut self, buffer: &mut [u8]) {
        let Some(link) = &mut self.link else { return };
        loop {
            match link.read(buffer) {
                Ok(0) => {
                    let told = "the supervisor has ended before it answered";
                    self.answer = Some(Err(Failed::new(1, told)));
                    return;
                }
                Ok(len) => {
                    self.heard.extend_from_slice(buffer.get(..len).unwrap_or_default());
                    if self.heard.pop_if(|last| *last == b'\n').is_some() {
                        self.answer =
                            Some(wire::read_answer(&self.heard).map_err(Failed::from).and_then(inspection));
                        return;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    let told = format!("the supervisor cannot be heard: {error}");
                    self.answer = Some(Err(Failed::new(1, told)));
                    return;
                }
            }
        }
    }

    fn give_up_if_stopped(&mut self, passed: Duration) {
        if let (Some(link), None) = (&self.link, &self.answer)
            && is_stopped(link)
        {
            self.answer = Some(Err(unheard(link, rounded(passed))));
        }
    }

    fn end(self) -> Result<Inspection, Failed> {
        let silent = || match &self.link {
            Some(link) => unheard(link, PATIENCE),
            None => Failed::new(1, "the supervisor was not asked"),
        };
        self.answer.unwrap_or_else(|| Err(silent()))
    }
}

/// As people say it.
fn rounded(time: Duration) -> Duration {
    Duration::from_millis(time.as_millis() as u64 / 100 * 100)
}

/// Waits for what those say that have not answered yet, and reads it.
fn wait(asked: &mut [Asked], limit: Duration, buffer: &mut [u8]) {
    let waiting = || asked.iter().enumerate().filter(|(_, one)| one.answer.is_none());
    let links = waiting().filter_map(|(at, one)| Some((at, one.link.as_ref()?)));
    let (places, mut polled): (Vec<usize>, Vec<PollFd<'_>>) =
        links.map(|(at, link)| (at, PollFd::new(link.as_fd(), PollFlags::POLLIN))).unzip();
    // Never less than a millisecond: what is left of the time is not turned over and over.
    let limit = PollTimeout::try_from(limit.as_millis().max(1)).unwrap_or(PollTimeout::MAX);
    let ready: Vec<usize> = match poll(&mut polled, limit) {
        Ok(_) => std::iter::zip(places, &polled)
            .filter(|(_, polled)| polled.any().unwrap_or(true))
            .map(|(at, _)| at)
            .collect(),
        Err(Errno::EINTR) => return,
        // Where it cannot be waited each is read as it comes.
        Err(_) => places,
    };
    for at in ready {
        asked[at].hear(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reply;
    use crate::cli::connection::client::tests::Script;
    use crate::cli::views::status::tests::inspection;
    use crate::io::scratch::Scratch;
    use std::os::unix::net::UnixListener;

    #[test]
    fn each_is_heard_and_the_silent_one_is_told_of() {
        let scratch = Scratch::new();
        let path = scratch.path().join("c.sock");
        let silent = UnixListener::bind(&path).unwrap();
        let answer = wire::answer(&Ok(Reply::Inspection(inspection())));
        let (good, ended) = (Script::new(&[&answer]), Script::new(&[""]));
        let refused = Failed::new(1, "not connected");
        let clients = vec![
            Ok(Client::connect(&path).unwrap()),
            Ok(good.client()),
            Err(Failed::new(1, "not connected")),
            Ok(ended.client()),
        ];
        let mut answers = inspect(clients).into_iter();
        let told = answers.next().unwrap().unwrap_err().message.unwrap();
        assert!(told.ends_with(", has not answered within 1s"), "{told}");
        assert_eq!(answers.next().unwrap(), Ok(inspection()));
        assert_eq!(answers.next().unwrap(), Err(refused));
        let told = answers.next().unwrap().unwrap_err().message.unwrap();
        assert!(told.contains("ended before it answered"), "{told}");
        drop(silent);
    }
}
