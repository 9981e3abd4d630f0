//! Measures the memory of workers on a thread of its own: the kernel takes some 13 ms for each GiB, which is longer than a
//! connection may wait, and longer than one for a lane's holders should. The thread starts with the first question.

use super::pss::pss;
use crate::ids::WorkerId;
use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

/// The proportional memory of a worker; `None` if it cannot be read.
pub(crate) type Measured = (WorkerId, Option<u64>);

/// Asks the thread, and has its answers.
#[derive(Debug)]
pub(crate) struct MemoryGauge {
    waker: Arc<Waker>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    questions: Sender<(WorkerId, Vec<u32>)>,
    answers: Receiver<Measured>,
    thread: JoinHandle<()>,
}

impl MemoryGauge {
    /// Nothing is started yet. The loop is woken after each answer.
    pub(crate) fn new(waker: Arc<Waker>) -> Self {
        Self { waker, running: None }
    }

    /// Asks for the memory of the worker, which is that of these processes; answered by `next`. Fails if there can be no
    /// thread.
    pub(crate) fn ask(&mut self, worker: WorkerId, pids: Vec<u32>) -> io::Result<()> {
        let running = match &self.running {
            Some(running) => running,
            None => self.running.insert(Running::start(self.waker.clone())?),
        };
        running.questions.send((worker, pids)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// An answer.
    pub(crate) fn next(&mut self) -> Option<Measured> {
        self.running.as_ref()?.answers.try_recv().ok()
    }
}

impl Running {
    fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let (questions, asked) = unbounded::<(WorkerId, Vec<u32>)>();
        let (measured, answers) = unbounded();
        let thread = thread::Builder::new().name("gauge".into()).spawn(move || {
            for (worker, pids) in asked {
                if measured.send((worker, pss(pids))).is_err() || waker.wake().is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions, answers, thread })
    }
}

impl Drop for MemoryGauge {
    fn drop(&mut self) {
        if let Some(Running { questions, answers, thread }) = self.running.take() {
            drop((questions, answers));
            // It ends after the question that it is at; it does not panic.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Events, Poll, Token};
    use std::time::Duration;

    #[test]
    fn each_question_is_answered_and_wakes_the_loop() {
        let mut poll = Poll::new().unwrap();
        let waker = Arc::new(Waker::new(poll.registry(), Token(1)).unwrap());
        let mut gauge = MemoryGauge::new(waker);
        assert_eq!(gauge.next(), None, "nothing was asked");
        let worker = |slot| WorkerId { slot, incarnation: 1 };
        gauge.ask(worker(0), vec![std::process::id()]).unwrap();
        gauge.ask(worker(1), Vec::new()).unwrap();
        let mut answers = Vec::new();
        while answers.len() < 2 {
            let mut events = Events::with_capacity(1);
            poll.poll(&mut events, Some(Duration::from_secs(60))).unwrap();
            assert!(!events.is_empty(), "nobody wakes the loop");
            answers.extend(std::iter::from_fn(|| gauge.next()));
        }
        assert!(
            answers[0].0 == worker(0) && answers[0].1.is_some_and(|bytes| bytes > 100_000),
            "{answers:?}"
        );
        assert_eq!(answers[1], (worker(1), None));
    }
}
