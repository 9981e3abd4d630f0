//! Workers that are slow and not dead: out of rotation while they are, back when they are well, and never killed. Each test
//! tells on stderr what it measured.

use harness::{
    App, Cluster, Conn, Options, PATIENCE, TABLE, Who, app, ask_in_turn, conn_to, get, wait_for,
    wait_for_ids, wait_until, who,
};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// For a test that takes time to show that nothing happens.
const QUIET: Duration = Duration::from_secs(3);

/// A kept connection to worker 1, which is busy with this request of it from now on, as it says itself.
#[track_caller]
pub(crate) fn keep_busy(cluster: &Cluster, app: &App, page: &str, says: &str) -> Conn {
    let mut conn = conn_to(&cluster.target(), app, "1");
    conn.request(page).expect("it is written");
    // What it accepts before that would be stuck with it.
    cluster.stdout().wait_for(says);
    conn
}

/// A line for whoever runs the tests, past the capture of those that pass.
pub(crate) fn measured(line: &str) {
    let _ = writeln!(std::io::stderr(), "health: {line}");
}

/// Lets time pass in which something must not happen.
pub(crate) fn pass(time: Duration) {
    let start = Instant::now();
    wait_until("time passes", PATIENCE + time, || start.elapsed() >= time);
}

/// Verdicts so far: `out of rotation`, however it was found.
pub(crate) fn suspicions(cluster: &Cluster) -> usize {
    cluster.log().count(": out of rotation")
}

/// The log has these parts in this order.
#[track_caller]
pub(crate) fn assert_order(cluster: &Cluster, parts: &[&str]) {
    let text = cluster.log().text();
    let mut at = 0;
    for part in parts {
        at += text[at..].find(part).unwrap_or_else(|| panic!("{part:?} is missing or out of order"));
    }
}

/// No worker was found to hang, and none has ended.
#[track_caller]
pub(crate) fn assert_nobody_ended(cluster: &Cluster) {
    assert_eq!(cluster.log().count(" has hung "), 0, "somebody was judged");
    assert_eq!(cluster.log().count(" exited: "), 0, "somebody ended");
}

/// Asks until the condition holds; all answers come from others. Returns how many there were and how long the slowest took.
#[track_caller]
pub(crate) fn ask_others(cluster: &Cluster, not: &str, mut done: impl FnMut() -> bool) -> (usize, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    wait_until("others answer meanwhile", PATIENCE, || {
        let start = Instant::now();
        let answer = who(&cluster.target()).expect("every request is answered");
        slowest = slowest.max(start.elapsed());
        count += 1;
        // What has just become well may answer before that is known here.
        assert!(answer.id != not || done(), "worker {not} is out of rotation and answered");
        done()
    });
    (count, slowest)
}

/// Several connections at once: each worker gets some. To be answered later.
pub(crate) fn crowd(cluster: &Cluster, count: usize) -> Vec<Conn> {
    let ask = |_| {
        let mut conn = Conn::open(&cluster.target()).expect("it listens");
        conn.last_request("/").expect("the kernel takes it");
        conn
    };
    (0..count).map(ask).collect()
}

/// Connections that come until this is so, a few at a time. A worker that is stopped in its wait is only missed while
/// somebody comes whom it could serve: the others may have taken all that came before.
#[track_caller]
pub(crate) fn crowd_until(cluster: &Cluster, what: &str, mut done: impl FnMut() -> bool) -> Vec<Conn> {
    let mut waiting = Vec::new();
    wait_until(what, PATIENCE, || {
        if waiting.iter().all(Conn::is_readable) {
            waiting.extend(crowd(cluster, 12));
        }
        done()
    });
    waiting
}

/// All of them are answered, by nobody who has this process. Returns how long that took.
#[track_caller]
pub(crate) fn answered_by_others(crowd: Vec<Conn>, not: u32) -> Duration {
    let start = Instant::now();
    for mut conn in crowd {
        let who = conn.response().expect("every connection is answered").who().expect("a pid");
        assert_ne!(who.pid, not);
    }
    start.elapsed()
}

fn busy_for_a_while(app: App) {
    let cluster = Cluster::start(&app, Options::workers(4));
    wait_for_ids(&cluster.target(), &app, 4);
    let before = cluster.started();
    let start = Instant::now();
    let mut busy = keep_busy(&cluster, &app, "/spin?ms=3000", "spinning");
    // Some of these wait for it until it is out.
    let waiting = crowd(&cluster, 12);
    cluster.log().wait_for("worker 1 has been busy for ");
    let out = start.elapsed();
    let stranded = answered_by_others(waiting, before["1"]);
    let (asked, slowest) = ask_others(&cluster, "1", || busy.is_readable());
    assert_eq!(busy.response().expect("the slow answer").who().expect("a pid").pid, before["1"]);
    cluster.log().wait_for("worker 1 keeps up again after ");
    let back = start.elapsed();
    assert_order(&cluster, &["worker 1 has been busy for ", "worker 1 keeps up again after "]);
    wait_for_ids(&cluster.target(), &app, 4);
    assert_nobody_ended(&cluster);
    assert_eq!(cluster.started(), before);
    measured(&format!(
        "{}: a busy loop of 3 s in one of four: out of rotation after {out:?} (limit 1 s), what waited was answered \
         {stranded:?} later, {asked} requests meanwhile, the slowest {slowest:?}; back after {back:?}, not killed",
        app.name
    ));
    cluster.stop();
}

#[test]
fn a_busy_node_leaves_the_rotation_and_comes_back() {
    if let Some(app) = app("node-http") {
        busy_for_a_while(app);
    }
}

#[test]
fn a_busy_python_leaves_the_rotation_and_comes_back() {
    if let Some(app) = app("python-asyncio") {
        busy_for_a_while(app);
    }
}

/// Has each of the four workers spin.
fn spin_all(cluster: &Cluster, app: &App, ms: u32) -> Vec<Conn> {
    let mut conns: Vec<Conn> = (0..4).map(|id| conn_to(&cluster.target(), app, &id.to_string())).collect();
    for conn in &mut conns {
        conn.request(&format!("/spin?ms={ms}")).expect("it is written");
    }
    cluster.stdout().wait_for_count("spinning", 4, PATIENCE);
    conns
}

/// Has each of the four workers spin until the file is there. `None` if they did not begin within this time of each other,
/// or somebody was judged before, as may be on a busy machine; they have ended then.
fn spin_alike(cluster: &Cluster, app: &App, enough: &Path, within: u128) -> Option<Vec<Conn>> {
    let begun = "spinning since ";
    let (already, told) = (cluster.stdout().count(begun), suspicions(cluster));
    let mut conns: Vec<Conn> = (0..4).map(|id| conn_to(&cluster.target(), app, &id.to_string())).collect();
    for conn in &mut conns {
        conn.request(&format!("/spin?until={}", enough.display())).expect("it is written");
    }
    cluster.stdout().wait_for_count(begun, already + 4, PATIENCE);
    let lines = cluster.stdout().lines_with(begun).split_off(already);
    let since = |line: &String| line[begun.len()..].parse().expect("milliseconds");
    let since: Vec<u128> = lines.iter().map(since).collect();
    let apart = since.iter().max()? - since.iter().min()?;
    if apart <= within && suspicions(cluster) == told {
        return Some(conns);
    }
    measured(&format!("the four began {apart} ms apart: once more"));
    end_spin(cluster, app, enough, conns);
    None
}

fn end_spin(cluster: &Cluster, app: &App, enough: &Path, conns: Vec<Conn>) {
    fs::write(enough, "").expect("the temporary directory is writable");
    for mut conn in conns {
        conn.response().expect("the slow answer");
    }
    fs::remove_file(enough).expect("it is ours");
    wait_for_ids(&cluster.target(), app, 4);
}

#[test]
fn when_all_are_busy_nobody_is_taken_out() {
    let Some(app) = app("node-http") else { return };
    // They count as lagging alike if no two of them begin more than half of it after the others.
    let cluster = Cluster::start(&app, Options::workers(4).flags("--lag-limit 2s --pulse 100ms"));
    wait_for_ids(&cluster.target(), &app, 4);
    let before = cluster.started();
    let enough = cluster.temp().path().join("enough");
    let (mut told, start) = (0, Instant::now());
    let busy = wait_for("all four begin at once", 4 * PATIENCE, || {
        told = suspicions(&cluster);
        spin_alike(&cluster, &app, &enough, 700)
    });
    let crowd = crowd(&cluster, 8);
    // Three times the limit, and all of it as the supervisor saw it.
    let lag = |id: u32| cluster.inspect_worker(&id.to_string())["health"]["lag_ms"].as_u64().unwrap_or(0);
    wait_until("all lag for long", PATIENCE, || (0..4).all(|id| lag(id) >= 6000));
    let out = suspicions(&cluster) - told;
    assert_eq!(out, 0, "of four that were busy alike some were taken out of rotation");
    // Those that come to an end later than others may be suspects for that moment.
    end_spin(&cluster, &app, &enough, busy);
    for mut conn in crowd {
        conn.response().expect("an answer after all");
    }
    let took = start.elapsed();
    assert_nobody_ended(&cluster);
    assert_eq!(cluster.started(), before);
    measured(&format!(
        "all four busy for 6 s, limit 2 s: nobody taken out, nobody killed, all answered after {took:?}"
    ));
    cluster.stop();
}

#[test]
fn when_all_look_hung_the_machine_is_starved() {
    let Some(app) = app("node-http") else { return };
    let options = Options::workers(4).flags("--lag-limit 300ms --hang-limit 1s --health-max-unavailable 4");
    let cluster = Cluster::start(&app, options);
    wait_for_ids(&cluster.target(), &app, 4);
    let start = Instant::now();
    let busy = spin_all(&cluster, &app, 120_000);
    let crowd = crowd(&cluster, 8);
    cluster.log().wait_for("machine starved: each of the 4 workers ");
    let said = start.elapsed();
    pass(QUIET);
    assert_nobody_ended(&cluster);
    measured(&format!(
        "all four beyond the hang limit of 1 s: `machine starved` after {said:?}, nobody killed in {QUIET:?} more"
    ));
    drop((busy, crowd));
    cluster.stop();
}

#[test]
fn an_idle_program_is_no_suspect_and_a_slow_upload_no_hang() {
    let minute = Duration::from_secs(60);
    let apps: Vec<App> = TABLE.iter().filter_map(|row| app(row.name)).collect();
    let start = |app: App| {
        let cluster = Cluster::start(&app, Options::workers(2));
        wait_for_ids(&cluster.target(), &app, 2);
        (app, cluster)
    };
    let clusters: Vec<(App, Cluster)> = apps.into_iter().map(start).collect();
    // The machine may have been busy with the start: who was slow is back before it counts.
    wait_until("all are well", PATIENCE, || {
        clusters.iter().all(|(_, cluster)| {
            suspicions(cluster)
                == cluster.log().count(" back in rotation") + cluster.log().count(" takes connections on ")
        })
    });
    let before: Vec<usize> = clusters.iter().map(|(_, cluster)| suspicions(cluster)).collect();
    let begun = Instant::now();
    crate::health::hangs::a_slow_upload_is_no_hang();
    pass(minute.saturating_sub(begun.elapsed()));
    let idle = begun.elapsed();
    let mut judged = Vec::new();
    for ((app, cluster), before) in clusters.iter().zip(before) {
        if suspicions(cluster) > before {
            judged.push(app.name);
        }
        assert_nobody_ended(cluster);
        wait_for_ids(&cluster.target(), app, 2);
    }
    assert!(judged.is_empty(), "idle and suspected: {judged:?}");
    measured(&format!("{} programs idle for {idle:?} (limit 1 s): no suspect", clusters.len()));
    clusters.into_iter().for_each(|(_, cluster)| cluster.stop());
}

#[test]
fn a_slow_starter_is_left_alone() {
    let Some(app) = app("python-asyncio") else { return };
    let options = Options::workers(1)
        .flags("--lag-limit 300ms --hang-limit 3s --start-timeout 1s")
        .env("START_MS", "10000")
        .at_once();
    let mut cluster = Cluster::start(&app, options);
    let start = Instant::now();
    cluster.log().wait_for("it counts as running");
    let counted = start.elapsed();
    cluster.log().wait_for_count(" listens on ", 1, 3 * PATIENCE);
    cluster.wait_ready(0);
    wait_for_ids(&cluster.target(), &app, 1);
    let served = start.elapsed();
    assert_nobody_ended(&cluster);
    measured(&format!(
        "a start that takes 10 s of computing with a start timeout of 1 s: counts as running after {counted:?}, \
         serves after {served:?}, not killed"
    ));
    cluster.stop();
}

#[test]
fn one_blocked_thread_of_four_is_no_lag() {
    let Some(app) = app("rust-tokio") else { return };
    let options =
        Options::workers(2).flags("--lag-limit 300ms --hang-limit 1s").env("TOKIO_WORKER_THREADS", "4");
    let cluster = Cluster::start(&app, options);
    wait_for_ids(&cluster.target(), &app, 2);
    let pid = cluster.started()["0"];
    let already = suspicions(&cluster);
    let mut blocked = conn_to(&cluster.target(), &app, "0");
    blocked.request("/spin?ms=4000").expect("it is written");
    let (mut own, mut slowest) = (0, Duration::ZERO);
    wait_until("the thread is free again", PATIENCE, || {
        let start = Instant::now();
        let answers: Vec<Who> = ask_in_turn(&cluster.target(), &app, 2);
        own += answers.iter().filter(|who| who.pid == pid).count();
        slowest = slowest.max(start.elapsed());
        blocked.is_readable()
    });
    blocked.response().expect("the slow answer");
    assert!(own > 0, "it has stopped to serve");
    assert_eq!(suspicions(&cluster), already, "it was judged");
    assert_nobody_ended(&cluster);
    get(&cluster.target(), "/").expect("it goes on");
    measured(&format!(
        "tokio with one of four threads blocked for 4 s: it answered {own} requests meanwhile, the slowest pair took \
         {slowest:?}; no suspect"
    ));
    cluster.stop();
}
