//! How the waits of a process tell of a lane: for as long as something is in it, or once for each thing that comes. It is read from
//! /proc. What cannot be read, or is too much to read on the way, is not known to be the former.

use crate::io::process::descriptor_table::{self, Reading};
use crate::io::process::epoll_sets;
use clustermon_protocol::credit::Registration;
use std::time::{Duration, Instant};

/// Descriptors that are looked at; a process that has more has begun to serve long before.
const MOST: usize = 512;
/// What could not be known is read again after so long,
const READ_AGAIN: Duration = Duration::from_millis(200);
/// then after twice as long, and so on up to this.
const MOST_SELDOM: Duration = Duration::from_secs(30);
/// EPOLLET and EPOLLONESHOT, as the kernel shows them.
const EDGE: u32 = 1 << 31;
const ONE_SHOT: u32 = 1 << 30;

/// How the wait tells of a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Once for each thing that comes, or it is not known.
    Edge(Option<Registration>),
    /// For as long as something is in it.
    Level(Option<Registration>),
}

impl Trigger {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Self = Self::Edge(None);

    pub(crate) fn is_level(self) -> bool {
        matches!(self, Self::Level(_))
    }

    /// How it stands in the set, if it is in no other, only once in this one, and told of again and again.
    pub(crate) fn registration(self) -> Option<Registration> {
        let (Self::Edge(registration) | Self::Level(registration)) = self;
        registration
    }

    fn without_registration(self) -> Self {
        if self.is_level() { Self::Level(None) } else { Self::Edge(None) }
    }
}

/// What was read of a lane, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The epoll set by which its process waits, none for poll() and select().
    set: Option<u32>,
    /// The other processes of the worker that might wait.
    others: Vec<u32>,
    trigger: Trigger,
}

impl Known {
    /// What is known without reading it.
    pub(crate) fn of(set: Option<u32>, others: Vec<u32>, trigger: Trigger) -> Self {
        Self { set, others, trigger }
    }

    /// Reads how the process is told of the socket; where one of the others may be told of it as well that is not known.
    pub(crate) fn read(pid: u32, set: Option<u32>, others: Vec<u32>, inode: u64, own: Option<u32>) -> Self {
        let is_apart = others.iter().all(|other| is_apart(*other, inode));
        let trigger = match set {
            _ if !is_apart => Trigger::UNKNOWN,
            Some(set) => of_set(pid, set, inode, own),
            None => Trigger::Level(None),
        };
        Self::of(set, others, trigger)
    }
}

/// How one lane is registered, as far as that has been read, and whether it still holds.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    known: Option<Known>,
    /// How often the program had changed registrations of the lane before that was read.
    changes: u32,
    /// When it is read again, and after how long once more: a server may have had too many descriptors open.
    again: Option<(Instant, Duration)>,
    /// Its process was told how to wait at the queue itself.
    pub(crate) may_watch: bool,
}

impl Registered {
    /// Nothing has changed by which it would have to be read anew: the set by which the process waits, if it shows one, who else might
    /// wait, and how often the program has changed registrations.
    pub(crate) fn holds(
        &self,
        now: Instant,
        wait: Option<Option<u32>>,
        others: &[u32],
        changes: u32,
    ) -> bool {
        let is_due = self.again.is_some_and(|(at, _)| at <= now);
        let is_same = match (wait, &self.known) {
            (None, None) => true,
            (Some(set), Some(known)) => known.set == set && known.others == others,
            _ => false,
        };
        is_same && self.changes == changes && !is_due
    }

    /// It has been read. What the wait tells by, if there is one.
    pub(crate) fn keep(&mut self, now: Instant, found: Option<Known>, changes: u32) -> Option<Trigger> {
        let trigger = found.as_ref().map(|found| found.trigger);
        let step = self.again.map_or(READ_AGAIN, |(_, step)| (step * 2).min(MOST_SELDOM));
        self.again = trigger.filter(|it| *it == Trigger::UNKNOWN).map(|_| (now + step, step));
        (self.known, self.changes) = (found, changes);
        trigger
    }

    /// It may hold no longer.
    pub(crate) fn doubt(&mut self) {
        self.known = None;
    }
}

/// Whether the process has the socket neither open nor in an epoll set, so that no thread of it waits there.
fn is_apart(pid: u32, inode: u64) -> bool {
    let (mut count, mut has_it) = (0, false);
    let read = descriptor_table::each_socket(pid, |_, other| {
        count += 1;
        has_it = other == inode || count > MOST;
        !has_it
    });
    match read {
        Ok(Reading::Complete) => !has_it && holds_in_no_set(pid, inode) == Some(true),
        Ok(Reading::Ended) => true,
        Ok(Reading::Ending) | Err(_) => false,
    }
}

/// Whether none of its epoll sets holds the socket; `None` if that is not to be seen.
fn holds_in_no_set(pid: u32, inode: u64) -> Option<bool> {
    let sets = epoll_sets::all(pid, MOST).ok()?;
    let mut lines = sets.iter().flat_map(|(_, text)| text.lines());
    Some(!lines.any(|line| field(line, "ino:", 16) == Some(inode)))
}

/// How a wait on that epoll set tells of the socket: for as long as it is readable if it is in the set without EPOLLET, and the set is in
/// no other, which might tell of it otherwise. `own` is a set of the library, which does not count.
fn of_set(pid: u32, set: u32, inode: u64, own: Option<u32>) -> Trigger {
    look(pid, set, inode, own).unwrap_or(Trigger::UNKNOWN)
}

fn look(pid: u32, set: u32, inode: u64, own: Option<u32>) -> Option<Trigger> {
    let mut trigger = Trigger::UNKNOWN;
    let (mut numbers, mut others) = (vec![u64::from(set)], Vec::new());
    for (number, text) in
        epoll_sets::all(pid, MOST).ok()?.into_iter().filter(|(number, _)| own != Some(*number))
    {
        if number == set {
            trigger = tells_of(&text, set, inode);
        } else if epoll_sets::is_same((pid, set), (pid, number)).unwrap_or(false) {
            // The same set once more, as tokio has it.
            numbers.push(number.into());
        } else {
            others.push(text);
        }
    }
    let any = |is_it: &dyn Fn(&str) -> bool| others.iter().flat_map(|text| text.lines()).any(is_it);
    if any(&|line| field(line, "tfd:", 10).is_some_and(|number| numbers.contains(&number))) {
        return None;
    }
    let is_elsewhere = any(&|line| field(line, "ino:", 16) == Some(inode));
    Some(if is_elsewhere { trigger.without_registration() } else { trigger })
}

/// How the set tells of the socket, at each place where it holds it.
fn tells_of(text: &str, set: u32, inode: u64) -> Trigger {
    let own = text.lines().filter(|line| field(line, "ino:", 16) == Some(inode));
    let events: Vec<Option<u64>> = own.clone().map(|line| field(line, "events:", 16)).collect();
    let any = |flag: u32| events.iter().any(|events| events.is_none_or(|events| events as u32 & flag != 0));
    if events.is_empty() || any(ONE_SHOT) {
        return Trigger::UNKNOWN;
    }
    let data = own.clone().next().and_then(|line| field(line, "data:", 16));
    let registration = match (events.as_slice(), data) {
        ([Some(events)], Some(data)) => Some(Registration { set, events: *events as u32, data }),
        _ => None,
    };
    if any(EDGE) { Trigger::Edge(registration) } else { Trigger::Level(registration) }
}

/// The number behind a word of a line such as `tfd:  8 events:  1d data:  8  pos:0 ino:61 sdev:9`; the word may end at it.
fn field(line: &str, word: &str, radix: u32) -> Option<u64> {
    let (_, rest) = line.split_once(word)?;
    u64::from_str_radix(rest.split_whitespace().next()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
    use nix::sys::stat::fstat;
    use std::net::TcpListener;
    use std::os::fd::{AsFd, AsRawFd};

    #[test]
    fn level_edge_and_nested_are_told_apart() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = fstat(&listener).unwrap().st_ino;
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let number = set.0.as_raw_fd() as u32;
        let look = |own| of_set(std::process::id(), number, inode, own);
        assert_eq!(look(None), Trigger::UNKNOWN, "it is not in it");
        let (level, edge) = (EpollFlags::EPOLLIN, EpollFlags::EPOLLIN | EpollFlags::EPOLLET);
        // EPOLLERR and EPOLLHUP are always asked for.
        let registration = Registration { set: number, events: 0x19, data: u64::MAX - 1 };
        let alone = Trigger::Level(Some(registration));
        let by_edge = Trigger::Edge(Some(Registration { events: 0x19 | EDGE, ..registration }));
        let cases = [(level, alone), (edge, by_edge), (level | EpollFlags::EPOLLONESHOT, Trigger::UNKNOWN)];
        for (flags, expected) in cases {
            set.add(&listener, EpollEvent::new(flags, u64::MAX - 1)).unwrap();
            assert_eq!(look(None), expected, "{flags:?}");
            set.delete(&listener).unwrap();
        }
        set.add(&listener, EpollEvent::new(level, u64::MAX - 1)).unwrap();
        let copy = listener.try_clone().unwrap();
        set.add(&copy, EpollEvent::new(level, 2)).unwrap();
        assert_eq!(look(None), Trigger::Level(None), "it is told of by two numbers");
        set.delete(&copy).unwrap();
        let other = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        other.add(&copy, EpollEvent::new(edge, 2)).unwrap();
        assert_eq!(look(None), Trigger::Level(None), "another thread may wait by another set");
        drop(other);
        // Some sandboxes have no kcmp; then it is taken to be another one.
        let same = set.0.try_clone().unwrap();
        if let Ok(true) =
            epoll_sets::is_same((std::process::id(), number), (std::process::id(), same.as_raw_fd() as u32))
        {
            assert_eq!(look(None), alone, "the same set by another number");
        }
        drop(same);
        let outer = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        outer.add(&set.0, EpollEvent::new(edge, 1)).unwrap();
        assert_eq!(look(None), Trigger::UNKNOWN, "the outer one may not tell again");
        assert_eq!(look(Some(outer.0.as_raw_fd() as u32)), alone, "but if it is the library's");
    }

    #[test]
    fn descriptors_that_are_closed_meanwhile_are_no_reason_not_to_know() {
        use std::sync::atomic::{AtomicBool, Ordering};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inode = fstat(&listener).unwrap().st_ino;
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        set.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, 7)).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // As a busy server: one after the other comes and goes, sets among them.
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let files: Vec<_> =
                        (0..20).map(|_| std::os::unix::net::UnixStream::pair().unwrap()).collect();
                    let _set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
                    drop(files);
                }
            });
            let number = set.0.as_raw_fd() as u32;
            let known = (0..200).filter(|_| {
                let found = of_set(std::process::id(), number, inode, None);
                // Other tests of this process may have too many open at the moment.
                let few = || std::fs::read_dir("/proc/self/fd").unwrap().count() < MOST / 2;
                matches!(found, Trigger::Level(Some(Registration { data: 7, .. }))) || !few()
            });
            let known = known.count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(known, 200);
        });
    }

    #[test]
    fn who_has_it_open_or_in_a_set_is_not_apart() {
        let me = std::process::id();
        let (inside, outside) = std::os::unix::net::UnixStream::pair().unwrap();
        let inode = fstat(&inside).unwrap().st_ino;
        let read = |others: &[u32]| Known::read(me, None, others.to_vec(), inode, None).trigger;
        assert_eq!(read(&[]), Trigger::Level(None), "poll() tells of it again");
        assert_eq!(read(&[me]), Trigger::UNKNOWN, "it is open");
        assert_eq!(
            read(&[std::os::unix::process::parent_id()]),
            Trigger::Level(None),
            "whoever started us has it not"
        );
        let set = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        set.add(&inside, EpollEvent::new(EpollFlags::EPOLLIN, 1)).unwrap();
        assert_eq!(holds_in_no_set(me, inode), Some(false));
        // In a message that nobody receives it is open still, and so in the set, though no process has it.
        crate::io::kernel::message::send(outside.as_fd(), b"x", Some(inside.as_fd())).unwrap();
        drop(inside);
        assert_eq!(read(&[me]), Trigger::UNKNOWN, "it is in a set");
        drop(set);
        assert_eq!(read(&[me]), Trigger::Level(None));
        assert_eq!(read(&[u32::MAX]), Trigger::Level(None), "who has ended waits for nothing");
    }
}
