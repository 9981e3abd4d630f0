//! Nothing is accepted by a worker once it has been answered that it is cordoned: it is taken out of rotation and put back again and
//! again, while clients connect without a pause. `CLUSTERMON_TEST_CORDONS=10000` does so many times what is done a
//! thousand times else.

use harness::{
    App, Cluster, Conn, Options, PATIENCE, Pid, RawControl, Target, app, ask_in_turn, require, wait_for,
    wait_for_ids, wait_until,
};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

const CLIENTS: usize = 6;

fn cycles() -> usize {
    let wanted = std::env::var("CLUSTERMON_TEST_CORDONS").ok();
    wanted.map_or(1_000, |count| count.parse().expect("CLUSTERMON_TEST_CORDONS is a number"))
}

/// One request.
struct Sample {
    /// Before the client connected.
    begun: Instant,
    /// After it had its answer.
    ended: Instant,
    /// It was worker 0 that answered.
    is_its: bool,
}

/// Clients that ask without a pause.
struct Clients {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Vec<Sample>>>,
}

impl Clients {
    fn start(target: &Target) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let client = |_| {
            let (target, stop, done) = (target.clone(), stop.clone(), done.clone());
            thread::spawn(move || {
                let mut samples = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    samples.push(ask(&target));
                    done.fetch_add(1, Ordering::Relaxed);
                }
                samples
            })
        };
        Self { threads: (0..CLIENTS).map(client).collect(), stop, done }
    }

    /// Waits until so many more have been answered.
    fn wait_for_more(&self, count: u64) {
        let goal = self.done.load(Ordering::Relaxed) + count;
        let deadline = Instant::now() + PATIENCE;
        while self.done.load(Ordering::Relaxed) < goal {
            assert!(Instant::now() < deadline, "no client is answered");
            thread::yield_now();
        }
    }

    fn finish(self) -> Vec<Sample> {
        self.stop.store(true, Ordering::Relaxed);
        let samples = self.threads.into_iter().flat_map(|client| client.join().expect("all were answered"));
        samples.collect()
    }
}

fn ask(target: &Target) -> Sample {
    let begun = Instant::now();
    let mut conn = Conn::open(target).expect("the kernel takes it");
    conn.last_request("/").expect("it is written");
    let who = conn.response().and_then(|response| response.who()).expect("an answer");
    Sample { begun, ended: Instant::now(), is_its: who.id == "0" }
}

/// What a worker has accepted by credits, as its thread counts before it takes its mark away: whoever is told that nothing follows finds
/// all counted. It stands in the page of its lane, of which the supervisor has a descriptor.
struct Accepted(*const AtomicU64);

impl Accepted {
    /// Of the page that this process has mapped; `None` where it has none yet.
    fn of(worker: Pid, supervisor: Pid) -> Option<Self> {
        const SIZE: usize = 4096;
        const COUNT_AT: usize = 192;
        let maps = std::fs::read_to_string(format!("/proc/{worker}/maps")).ok()?;
        let mapped = maps.lines().find(|line| line.contains("/memfd:clustermon-lane"))?;
        let inode: u64 = mapped.split_whitespace().nth(4)?.parse().ok()?;
        let files = std::fs::read_dir(format!("/proc/{supervisor}/fd")).ok()?.flatten();
        let page = files
            .filter_map(|file| {
                File::open(file.path())
                    .ok()
                    .filter(|file| file.metadata().is_ok_and(|status| status.ino() == inode))
            })
            .next()?;
        // SAFETY: a mapping of its own, which is never unmapped; the page is sealed against getting shorter.
        let at = unsafe {
            libc::mmap(std::ptr::null_mut(), SIZE, libc::PROT_READ, libc::MAP_SHARED, page.as_raw_fd(), 0)
        };
        assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        Some(Self(at.cast::<u8>().wrapping_add(COUNT_AT).cast()))
    }

    fn count(&self) -> u64 {
        // SAFETY: it is mapped, and an atomic has no wrong bytes.
        unsafe { &*self.0 }.load(Ordering::SeqCst)
    }
}

/// The answer: whether it is promised that nothing follows. A thread that was held up in its accept for long is told of instead.
fn order(control: &mut RawControl, what: &str) -> bool {
    control.say(format!("{{\"v\":1,\"do\":\"{what}\",\"target\":{{\"worker\":\"0\"}}}}\n").as_bytes());
    let answer = control.hear();
    assert!(answer.contains("\"ok\":true"), "{answer}");
    !answer.contains("may yet accept")
}

/// Who connects after the answer, and is served before the worker is to be put back, is served by another: it cannot have been
/// accepted at any other time.
fn race(app: &App, tool: &[&str], flags: &str, cycles: usize) {
    let options = Options::workers(2).flags("--name web --lag-limit off").flags(flags);
    let mut command: Vec<OsString> = tool.iter().map(OsString::from).collect();
    command.extend(app.default_command());
    let cluster = Cluster::start_command(&command, options);
    let target = cluster.target();
    wait_for_ids(&target, app, 2);
    let mut control = RawControl::open(&cluster.runtime_dir().join("web.sock"));
    let worker = cluster.started()["0"];
    let accepted = flags.contains("credit").then(|| {
        wait_for("it accepts by itself", PATIENCE, || {
            ask_in_turn(&target, app, 2);
            Accepted::of(worker, cluster.pid())
        })
    });
    let clients = Clients::start(&target);
    let begun = Instant::now();
    let (mut out, mut tried, mut followed) = (Vec::with_capacity(cycles), 0, 0);
    while out.len() < cycles {
        tried += 1;
        assert!(tried <= 3 * cycles, "{} of {tried} were promised", out.len());
        // So that it accepts at the moment when it is cordoned, and not always at the same one.
        clients.wait_for_more(1 + tried as u64 % 5);
        let promised = order(&mut control, "cordon");
        let counted = accepted.as_ref().map(Accepted::count);
        let from = Instant::now();
        // Of these two at least began after the answer.
        clients.wait_for_more(CLIENTS as u64 + 2);
        let until = Instant::now();
        if promised {
            let more = accepted.as_ref().map(Accepted::count).zip(counted).map(|(now, then)| now - then);
            followed += more.unwrap_or(0);
            out.push((from, until));
        }
        order(&mut control, "uncordon");
    }
    let took = begun.elapsed();
    let samples = clients.finish();
    let of_it = samples.iter().filter(|sample| sample.is_its).count();
    let is_out = |sample: &&Sample| {
        let last = out.partition_point(|(from, _)| *from <= sample.begun).checked_sub(1);
        last.is_some_and(|last| sample.ended <= out[last].1)
    };
    let meanwhile: Vec<&Sample> = samples.iter().filter(is_out).collect();
    let late = meanwhile.iter().filter(|sample| sample.is_its).count();
    eprintln!(
        "{flags}: {cycles} cordons, {tried} tried, in {took:?}; {} requests, {of_it} of the worker; {} while it was out, {late} late; it counted {followed}",
        samples.len(),
        meanwhile.len()
    );
    assert_eq!(followed, 0, "the worker has counted what it accepted after the answer");
    assert_eq!(late, 0, "{late} of {} were accepted after the answer", meanwhile.len());
    // It would have shown.
    assert!(meanwhile.len() >= cycles / 2 && of_it >= cycles / 2, "{} and {of_it}", meanwhile.len());
    wait_until("it takes its turn again", PATIENCE, || {
        ask_in_turn(&target, app, 4).iter().any(|who| who.id == "0")
    });
    cluster.stop();
}

/// Holds its program up before and after each mark: where it knows its socket again, and where it accepts.
const SLOWLY: [&str; 8] = [
    "strace",
    "-D",
    "-f",
    "-o/dev/null",
    "-e",
    "trace=getsockopt,accept4",
    "-e",
    "inject=getsockopt,accept4:delay_enter=200",
];

/// Where the supervisor does not look for marks before it answers, some two hundred of a thousand are accepted after it. (What the
/// library has to look at is raced in `protocol/src/credit/race.rs`, 10,000 times: no system call lies between its look and its mark.)
#[test]
fn nothing_is_accepted_after_the_answer_by_who_is_slow() {
    let Some(app) = app("c-epoll") else { return };
    if require("strace") {
        race(&app, &SLOWLY, "--dispatch credit", cycles());
    }
}

#[test]
fn nothing_is_accepted_after_the_answer() {
    let Some(app) = app("c-epoll") else { return };
    race(&app, &[], "--dispatch credit", cycles() / 4);
}

#[test]
fn nothing_is_accepted_after_the_answer_by_hand_off() {
    let Some(app) = app("c-epoll") else { return };
    race(&app, &[], "--dispatch handoff", cycles() / 4);
}

#[test]
fn nothing_is_accepted_after_the_answer_by_threads_that_block() {
    let Some(app) = app("python-threads") else { return };
    race(&app, &[], "--dispatch credit", cycles() / 10);
}
