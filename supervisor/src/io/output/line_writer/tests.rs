//! Sinks on real pipes: full ones, non-blocking ones, ones whose reader has gone.

use super::target::Descriptor;
use super::{CAPACITY, From, LineWriter};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;

fn pipe() -> (File, OwnedFd) {
    let (reader, writer) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
    (reader.into(), writer)
}

fn lines(reader: File) -> Vec<String> {
    BufReader::new(reader).lines().map(Result::unwrap).collect()
}

fn report(count: u64) -> Option<Vec<u8>> {
    Some(format!("{count} dropped\n").into_bytes())
}

#[test]
fn a_pipe_that_nobody_reads_delays_nobody() {
    for (non_blocking, from, least) in [
        (false, From::Supervisor, CAPACITY),
        (true, From::Supervisor, CAPACITY),
        (false, From::Worker, CAPACITY / 4),
    ] {
        let (reader, writer) = pipe();
        if non_blocking {
            fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        }
        let sink = LineWriter::start(Descriptor::new(writer)).unwrap();
        let drops = sink.source(report);
        let total = 100_000;
        // Nothing reads: were a single one to wait, this loop would never end.
        for number in 0..total {
            sink.put(from, format!("{number:0>60}\n").as_bytes(), 1, &drops);
        }
        sink.flush();

        // Now somebody reads, to the line that tells of the others.
        let mut lines: Vec<String> = Vec::new();
        let mut dropped = None;
        for line in BufReader::new(reader).lines().map(Result::unwrap) {
            dropped = line.strip_suffix(" dropped").map(|count| count.parse::<usize>().unwrap());
            if dropped.is_some() {
                break;
            }
            lines.push(line);
        }
        let dropped = dropped.unwrap();
        assert_eq!(lines.len() + dropped, total);
        assert!(lines.len() >= least, "{}", lines.len());
        let numbers: Vec<usize> = lines.iter().map(|line| line.parse().unwrap()).collect();
        assert!(numbers.is_sorted(), "out of order");
    }
}

#[test]
fn workers_leave_room_for_the_log() {
    let (_reader, writer) = pipe();
    let sink = LineWriter::start(Descriptor::new(writer)).unwrap();
    let drops = sink.source(report);
    while sink.has_room(From::Worker) {
        sink.put(From::Worker, &[b'x'; 65536], 1, &drops);
    }
    assert!(sink.has_room(From::Supervisor));
}

#[test]
fn the_thread_ends_though_nobody_reads() {
    let (reader, writer) = pipe();
    let sink = LineWriter::start(Descriptor::new(writer)).unwrap();
    let drops = sink.source(report);
    for _ in 0..100 {
        sink.put(From::Worker, &[b'x'; 4096], 1, &drops);
    }
    let ended = sink.0.ended.clone();
    drop(sink);
    assert!(ended.recv().is_err());
    drop(reader);
}

#[test]
fn a_reader_that_went_away_is_no_fault() {
    let (reader, writer) = pipe();
    drop(reader);
    let sink = LineWriter::start(Descriptor::new(writer)).unwrap();
    let drops = sink.source(report);
    for _ in 0..10 {
        sink.put(From::Supervisor, b"to nobody\n", 1, &drops);
    }
    sink.flush();
}

#[test]
fn a_flush_comes_after_what_was_put() {
    let (reader, writer) = pipe();
    let sink = LineWriter::start(Descriptor::new(writer)).unwrap();
    let drops = sink.source(report);
    for _ in 0..100 {
        sink.put(From::Supervisor, b"before\n", 1, &drops);
    }
    drop(sink);
    assert_eq!(lines(reader).len(), 100);
}

#[test]
fn signals_are_for_other_threads() {
    let (_reader, writer) = pipe();
    let sink = LineWriter::start(Descriptor::new(writer)).unwrap();
    sink.put(From::Supervisor, b"it runs\n", 1, &sink.source(report));
    sink.flush();
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    // Other tests have theirs; every one of them must have all of the signals that can be blocked.
    let masks: Vec<_> = tasks
        .filter(|task| read(task.join("comm")) == "log\n")
        .filter_map(|task| {
            let status = read(task.join("status"));
            let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .collect();
    let bit = |signal: i32| 1_u64 << (signal - 1);
    let wanted = [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGHUP, libc::SIGCHLD, libc::SIGPIPE];
    let wanted = wanted.into_iter().map(bit).fold(0, std::ops::BitOr::bitor);
    assert!(!masks.is_empty());
    assert!(masks.iter().all(|mask| mask & wanted == wanted), "{masks:x?}");
}
