//! Captured streams on real pipes and a real poll.

use super::*;
use crate::config::Encoding;
use mio::{Events, Poll};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

type Taken = Arc<Mutex<Vec<(String, Stream, Vec<u8>)>>>;

struct Bench {
    poll: Poll,
    outputs: Outputs,
    taken: Taken,
}

impl Bench {
    fn new(encoding: Encoding) -> Self {
        let taken = Taken::default();
        let copy = Arc::clone(&taken);
        let handler = LineHandler::new(move |id, stream, line| {
            copy.lock().push((id.to_owned(), stream, line.to_vec()));
        });
        Self::to(To::Lines(handler), encoding, taken)
    }

    fn to(to: To, encoding: Encoding, taken: Taken) -> Self {
        Self { poll: Poll::new().unwrap(), outputs: Outputs::to(to, "web", encoding), taken }
    }

    fn attach(&mut self, id: &str) -> (File, File) {
        let ends = self.outputs.attach(id, self.poll.registry()).unwrap().unwrap();
        (ends.stdout.into(), ends.stderr.into())
    }

    /// Turns until nothing happens any more; how many events there were.
    fn turn(&mut self) -> usize {
        let mut events = Events::with_capacity(8);
        let mut count = 0;
        loop {
            self.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
            if events.is_empty() {
                return count;
            }
            for event in &events {
                count += 1;
                let Some(Source::Output(key)) = Source::of(event.token()) else { panic!("{event:?}") };
                self.outputs.readable(key, self.poll.registry());
            }
        }
    }

    fn lines(&self, stream: Stream) -> Vec<String> {
        let taken = self.taken.lock();
        let of = taken.iter().filter(|(_, from, _)| *from == stream);
        of.map(|(id, _, line)| format!("{id}: {}", String::from_utf8_lossy(line))).collect()
    }
}

#[test]
fn lines_come_from_where_they_were_written() {
    let mut bench = Bench::new(Encoding::Utf8);
    let (mut out, mut err) = bench.attach("7");
    let (mut other, _) = bench.attach("8");
    out.write_all(b"one\ntw").unwrap();
    err.write_all(b"bad \xff\n").unwrap();
    other.write_all(b"mine\n").unwrap();
    bench.turn();
    out.write_all(b"o\nend").unwrap();
    bench.turn();
    assert_eq!(bench.lines(Stream::Stdout), ["7: one", "8: mine", "7: two"]);
    assert_eq!(bench.lines(Stream::Stderr), ["7: bad \u{fffd}"]);
    assert_eq!(bench.outputs.last_lines("7"), ["bad \u{fffd}"]);
    assert!(bench.outputs.last_lines("8").is_empty());

    drop((out, err));
    bench.turn();
    assert_eq!(bench.lines(Stream::Stdout).last().unwrap(), "7: end");
    assert_eq!(bench.outputs.pipes.len(), 1);
}

#[test]
fn the_workers_end_is_as_a_shell_makes_it() {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let mut bench = Bench::new(Encoding::Raw);
    let (out, _err) = bench.attach("0");
    let flags = OFlag::from_bits_retain(fcntl(&out, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn much_is_read_in_portions_and_to_the_end() {
    let mut bench = Bench::new(Encoding::Raw);
    let (mut out, _err) = bench.attach("0");
    // A default pipe, full to the last byte.
    let line = [vec![b'x'; 1023], vec![b'\n']].concat();
    for _ in 0..64 {
        out.write_all(&line).unwrap();
    }
    drop(out);
    assert!(bench.turn() >= 2);
    assert_eq!(bench.lines(Stream::Stdout).len(), 64);
    assert_eq!(bench.outputs.pipes.len(), 1);
}

#[test]
fn an_exit_does_not_wait_for_the_children() {
    let mut bench = Bench::new(Encoding::Utf8);
    let (mut out, mut err) = bench.attach("0");
    let mut held = out.try_clone().unwrap();
    out.write_all(b"last words").unwrap();
    for number in 0..30 {
        writeln!(err, "error {number}").unwrap();
    }
    bench.outputs.exited("0", bench.poll.registry());
    assert_eq!(bench.lines(Stream::Stdout), ["0: last words"]);
    let last = bench.outputs.last_lines("0");
    assert_eq!((last.len(), last[0].as_str(), last[19].as_str()), (20, "error 10", "error 29"));

    // The next incarnation, and what a daemon of the first one says.
    let (mut next, _) = bench.attach("0");
    next.write_all(b"next\n").unwrap();
    held.write_all(b"daemon\n").unwrap();
    drop((out, err));
    bench.turn();
    let mut lines = bench.lines(Stream::Stdout);
    lines.sort();
    assert_eq!(lines, ["0: daemon", "0: last words", "0: next"]);
    drop((held, next));
    bench.turn();
    assert_eq!(bench.outputs.pipes.len(), 0);
    bench.outputs.forget("0");
    assert!(bench.outputs.last_lines("0").is_empty());
}

#[test]
fn nobody_waits_for_a_reader_that_does_not_read() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (mut told, tell) = std::io::pipe().unwrap();
    let (stdout, stderr) = (Sink::start(writer).unwrap(), Sink::start(tell).unwrap());
    let to = To::Streams { stdout, stderr, format: LogFormat::Text };
    let mut bench = Bench::to(to, Encoding::Utf8, Taken::default());
    let (mut out, mut err) = bench.attach("0");
    let portion = "a line of sixty-four bytes, newline and all, sixty-four of them\n".repeat(1000);
    // Each portion fits the pipe: were it not read, this would never end.
    for _ in 0..200 {
        out.write_all(portion.as_bytes()).unwrap();
        bench.turn();
    }
    err.write_all(b"still heard\n").unwrap();
    drop((out, err));
    bench.turn();
    assert_eq!(bench.outputs.last_lines("0"), ["still heard"]);
    let Passing { workers, .. } = &bench.outputs.passing;
    let drops = format!("{:?}", workers["0"].stdout);
    assert!(!drops.contains("Drops(0)"), "{drops}");

    drop(bench);
    drop(reader);
    let mut text = String::new();
    told.read_to_string(&mut text).unwrap();
    assert_eq!(text, "[web/0] still heard\n");
}

#[test]
fn nothing_is_captured_unasked() {
    let mut outputs = Outputs::to(To::Inherit, "web", Encoding::Utf8);
    let poll = Poll::new().unwrap();
    assert!(outputs.attach("0", poll.registry()).unwrap().is_none());
    outputs.exited("0", poll.registry());
    assert!(outputs.last_lines("0").is_empty());
}
