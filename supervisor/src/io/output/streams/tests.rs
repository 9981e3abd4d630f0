//! Captured streams on real pipes and a real poll.

use super::*;
use crate::config::{Encoding, LineHandler, LogFormat};
use crate::ids::WorkerId;
use crate::io::output::line_writer::LineWriter;
use crate::io::output::line_writer::target::Descriptor;
use mio::{Events, Poll};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

type Taken = Arc<Mutex<Vec<(String, Stream, Vec<u8>)>>>;

/// A process of the worker that is called as its slot is numbered.
fn process(slot: u32, incarnation: u32) -> WorkerId {
    WorkerId { slot, incarnation }
}

#[expect(clippy::disallowed_methods, reason = "the loop's clock is not here")]
fn clock() -> Instant {
    Instant::now()
}

struct Bench {
    poll: Poll,
    outputs: Outputs,
    taken: Taken,
    now: Instant,
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
        let (poll, outputs) = (Poll::new().unwrap(), Outputs::to(to, "web", encoding, Arc::default()));
        Self { poll, outputs, taken, now: clock() }
    }

    /// A bench on which a new version's stderr goes to the pipe.
    fn relayed() -> (Self, std::io::PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        let relay = Relay::to(LineWriter::start(Descriptor::new(writer)).unwrap());
        (Self::to(To::Inherit(Some(relay)), Encoding::Utf8, Taken::default()), reader)
    }

    fn attach(&mut self, slot: u32, incarnation: u32) -> (File, File) {
        let process = process(slot, incarnation);
        let ends = self.outputs.attach(process, &slot.to_string(), false, self.poll.registry());
        let ends = ends.unwrap().unwrap();
        (ends.stdout.unwrap().into(), ends.stderr.into())
    }

    fn try_out(&mut self, process: WorkerId) -> File {
        let id = process.slot.to_string();
        let ends = self.outputs.attach(process, &id, true, self.poll.registry()).unwrap().unwrap();
        ends.stderr.into()
    }

    fn last_lines(&mut self, process: WorkerId) -> Vec<String> {
        self.outputs.last_lines(process, self.poll.registry())
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
                self.outputs.readable(key, self.now, self.poll.registry());
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
    let (mut out, mut err) = bench.attach(7, 1);
    let (mut other, _) = bench.attach(8, 1);
    out.write_all(b"one\ntw").unwrap();
    err.write_all(b"bad \xff\n").unwrap();
    other.write_all(b"mine\n").unwrap();
    bench.turn();
    out.write_all(b"o\nend").unwrap();
    bench.turn();
    assert_eq!(bench.lines(Stream::Stdout), ["7: one", "8: mine", "7: two"]);
    assert_eq!(bench.lines(Stream::Stderr), ["7: bad \u{fffd}"]);
    assert_eq!(bench.last_lines(process(7, 1)), ["bad \u{fffd}"]);
    assert!(bench.last_lines(process(8, 1)).is_empty());

    drop((out, err));
    bench.turn();
    assert_eq!(bench.lines(Stream::Stdout).last().unwrap(), "7: end");
    assert_eq!(bench.outputs.pipes.len(), 1);
}

#[test]
fn the_workers_end_is_as_a_shell_makes_it() {
    let mut bench = Bench::new(Encoding::Raw);
    let (out, _err) = bench.attach(0, 1);
    let flags = OFlag::from_bits_retain(fcntl(&out, FcntlArg::F_GETFL).unwrap());
    assert!(!flags.contains(OFlag::O_NONBLOCK));
}

#[test]
fn much_is_read_in_portions_and_to_the_end() {
    let mut bench = Bench::new(Encoding::Raw);
    let (mut out, _err) = bench.attach(0, 1);
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
    let (mut out, mut err) = bench.attach(0, 1);
    let mut held = out.try_clone().unwrap();
    out.write_all(b"last words").unwrap();
    for number in 0..30 {
        writeln!(err, "error {number}").unwrap();
    }
    bench.outputs.exited(process(0, 1), bench.poll.registry());
    assert_eq!(bench.lines(Stream::Stdout), ["0: last words"]);
    let last = bench.last_lines(process(0, 1));
    assert_eq!((last.len(), last[0].as_str(), last[19].as_str()), (20, "error 10", "error 29"));

    // The next incarnation, and what a daemon of the first one says.
    let (mut next, _) = bench.attach(0, 2);
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
    bench.outputs.forget(process(0, 2), "0");
    assert!(bench.last_lines(process(0, 1)).is_empty());
}

const PLAIN: Look = Look { time: false, colours: false };

#[test]
fn who_is_to_wait_for_a_reader_loses_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (_told, tell) = std::io::pipe().unwrap();
    let (stdout, stderr) = (
        LineWriter::start(Descriptor::new(writer)).unwrap(),
        LineWriter::start(Descriptor::new(tell)).unwrap(),
    );
    let looks = Looks { stdout: PLAIN, stderr: PLAIN };
    let to = To::Streams { stdout, stderr, format: LogFormat::Text, looks };
    let mut bench = Bench::to(to, Encoding::Utf8, Taken::default());
    bench.outputs.held = Some(Held::default());
    let (out, _err) = bench.attach(0, 1);
    fcntl(&out, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
    let mut written = 0;
    // Until the pipe is full though everything was read that is: the worker would wait here.
    loop {
        match nix::unistd::write(&out, &line) {
            Ok(_) => written += 1,
            Err(_) if bench.outputs.next_deadline().is_some() => break,
            Err(_) => drop(bench.turn()),
        }
    }
    assert!((1000..6000).contains(&written), "{written}");
    let counting = std::thread::spawn(move || BufReader::new(reader).lines().count());
    drop(out);
    while bench.outputs.pipes.len() > 1 {
        bench.turn();
        if let Some(then) = bench.outputs.next_deadline() {
            bench.now = then;
            bench.outputs.look(then, bench.poll.registry());
        }
    }
    assert_eq!(bench.outputs.lost_of("0"), 0);
    drop(bench);
    assert_eq!(counting.join().unwrap(), written);
}

#[test]
fn nobody_waits_for_a_reader_that_does_not_read() {
    let (reader, writer) = std::io::pipe().unwrap();
    let (mut told, tell) = std::io::pipe().unwrap();
    let (stdout, stderr) = (
        LineWriter::start(Descriptor::new(writer)).unwrap(),
        LineWriter::start(Descriptor::new(tell)).unwrap(),
    );
    let to = To::Streams {
        stdout,
        stderr,
        format: LogFormat::Text,
        looks: Looks { stdout: PLAIN, stderr: PLAIN },
    };
    let mut bench = Bench::to(to, Encoding::Utf8, Taken::default());
    let (mut out, mut err) = bench.attach(0, 1);
    let portion = "a line of sixty-four bytes, newline and all, sixty-four of them\n".repeat(1000);
    // Each portion fits the pipe: were it not read, this would never end.
    for _ in 0..200 {
        out.write_all(portion.as_bytes()).unwrap();
        bench.turn();
    }
    err.write_all(b"still heard\n").unwrap();
    drop((out, err));
    bench.turn();
    assert_eq!(bench.last_lines(process(0, 1)), ["still heard"]);
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
    let mut bench = Bench::to(To::Inherit(None), Encoding::Utf8, Taken::default());
    assert!(bench.outputs.attach(process(0, 1), "0", false, bench.poll.registry()).unwrap().is_none());
    bench.outputs.exited(process(0, 1), bench.poll.registry());
    assert!(bench.last_lines(process(0, 1)).is_empty());
    assert_eq!(bench.outputs.pipes.len(), 0);
}

/// In a reload the old process and the new one of a worker live at a time.
#[test]
fn the_end_of_one_is_not_the_end_of_the_other() {
    let mut bench = Bench::new(Encoding::Utf8);
    let (mut old_out, mut old_err) = bench.attach(0, 1);
    let (mut new_out, mut new_err) = bench.attach(0, 2);
    old_out.write_all(b"old un").unwrap();
    old_err.write_all(b"old words\n").unwrap();
    new_err.write_all(b"new words\n").unwrap();
    bench.turn();
    assert_eq!(bench.last_lines(process(0, 2)), ["new words"]);
    drop((new_out.write_all(b"new wo"), new_out, new_err));
    bench.outputs.exited(process(0, 2), bench.poll.registry());
    assert_eq!(bench.lines(Stream::Stdout), ["0: new wo"], "the old one's line is not complete");
    assert_eq!(bench.last_lines(process(0, 2)), ["new words"]);
    assert_eq!(bench.last_lines(process(0, 1)), ["old words"]);

    // The next one takes the place of the one that has ended, and not of the one that lives.
    let _next = bench.attach(0, 3);
    assert!(bench.last_lines(process(0, 2)).is_empty());
    assert_eq!(bench.last_lines(process(0, 1)), ["old words"]);
    old_out.write_all(b"finished\n").unwrap();
    bench.turn();
    assert_eq!(bench.lines(Stream::Stdout), ["0: new wo", "0: old unfinished"]);
}

#[test]
fn a_version_on_trial_is_passed_on_as_it_is() {
    let (mut bench, mut reader) = Bench::relayed();
    let mut err = bench.try_out(process(0, 2));
    err.write_all(b"one\nt\0\xff").unwrap();
    bench.turn();
    // What has no end yet is not kept back.
    let mut part = [0; 7];
    reader.read_exact(&mut part).unwrap();
    assert_eq!(&part, b"one\nt\0\xff");
    err.write_all(b"wo\nthe last").unwrap();
    assert_eq!(bench.last_lines(process(0, 2)), ["one", "t\0\u{fffd}wo"]);
    drop(err);
    bench.outputs.exited(process(0, 2), bench.poll.registry());
    assert_eq!(bench.last_lines(process(0, 2)), ["one", "t\0\u{fffd}wo", "the last"]);
    assert_eq!(bench.outputs.pipes.len(), 0);
    drop(bench);
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "wo\nthe last");
}

/// More than fits is neither lost nor held up for ever.
#[test]
fn a_slow_reader_is_waited_for() {
    let (mut bench, mut reader) = Bench::relayed();
    let mut err = bench.try_out(process(0, 2));
    let line = [vec![b'x'; 1023], vec![b'\n']].concat();
    let count = 4 << 10;
    let writer = std::thread::spawn(move || (0..count).for_each(|_| err.write_all(&line).unwrap()));
    while bench.outputs.next_deadline().is_none() {
        bench.turn();
    }
    let read = std::thread::spawn(move || {
        let mut bytes = vec![0; count * 1024];
        reader.read_exact(&mut bytes).map(|()| bytes)
    });
    // The clock stands still: nobody is out of patience.
    while !bench.outputs.pipes.is_empty() {
        bench.turn();
        bench.outputs.look(bench.now, bench.poll.registry());
    }
    writer.join().unwrap();
    assert_eq!(bench.last_lines(process(0, 2)).len(), 20);
    let bytes = read.join().unwrap().unwrap();
    assert!(bytes.chunks(1024).all(|line| line[..1023] == [b'x'; 1023] && line[1023] == b'\n'));
}

#[test]
fn a_reader_that_takes_nothing_is_not_waited_for() {
    let (mut bench, reader) = Bench::relayed();
    let mut err = bench.try_out(process(0, 2));
    let portion = "a line of sixty-four bytes, newline and all, sixty-four of them\n".repeat(1000);
    while bench.outputs.next_deadline().is_none() {
        err.write_all(portion.as_bytes()).unwrap();
        bench.turn();
    }
    bench.now += Duration::from_secs(2);
    bench.outputs.look(bench.now, bench.poll.registry());
    // Each portion fits the pipe: were it not read, this would never end.
    for _ in 0..200 {
        err.write_all(portion.as_bytes()).unwrap();
        bench.turn();
    }
    err.write_all(b"still heard\n").unwrap();
    assert_eq!(bench.last_lines(process(0, 2)).last().unwrap(), "still heard");
    let To::Inherit(Some(relay)) = &bench.outputs.passing.to else { panic!("there is one") };
    assert!(!format!("{relay:?}").contains("Drops(0)"), "{relay:?}");
    drop(reader);
}
