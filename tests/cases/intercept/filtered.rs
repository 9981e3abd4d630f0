//! Programs that the library cannot enter, or is not to: their listeners come by a seccomp filter, and the kernel brings them their
//! connections.

use harness::{
    Cluster, Listen, Load, Options, PATIENCE, Target, c_program, has_mptcp, is_alive, refused, require,
    signal, wait_until, who,
};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A server that is statically linked and finishes what it has when it is told to stop.
pub(crate) fn fixed() -> Option<PathBuf> {
    require("cc").then(|| c_program("leaves", &["-static"]))
}

/// Waits until so many workers have answered; who they are.
#[track_caller]
pub(crate) fn all_answer(target: &Target, count: usize) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    // Several clients at a time: the kernel wakes who sleeps, and one after the other may all reach the same.
    wait_until(&format!("{count} workers answer"), PATIENCE, || {
        let load = Load::start(target, 4, "/");
        wait_until("some are answered", PATIENCE, || load.done() > 40);
        ids.extend(load.finish_unharmed().into_iter().map(|who| who.id));
        ids.len() >= count
    });
    ids
}

#[test]
fn a_static_program_serves_from_three_workers_with_an_id_each() {
    let Some(program) = fixed() else { return };
    let cluster = Cluster::start_command(&[&program], Options::workers(3));
    assert_eq!(all_answer(&cluster.target(), 3), ["0", "1", "2"].map(str::to_owned).into());
    let inspection = cluster.inspect();
    assert_eq!(inspection["intercept"], "seccomp");
    assert_eq!(inspection["intercept_reason"], "the program is statically linked");
    assert!(cluster.order("status").contains("\nintercept: seccomp: the program is statically linked\n"));
    cluster.stop();
}

#[test]
fn one_that_is_killed_is_replaced_and_nobody_is_refused() {
    let Some(program) = fixed() else { return };
    let cluster = Cluster::start_command(&[&program], Options::workers(2));
    let before = cluster.started()["0"];
    signal(before, libc::SIGKILL);
    wait_until("another has its place", PATIENCE, || cluster.ready_count() >= 3);
    assert_ne!(cluster.started()["0"], before);
    assert_eq!(all_answer(&cluster.target(), 2).len(), 2);
    cluster.stop();
}

#[test]
fn a_reload_under_load_fails_no_request() {
    let Some(program) = fixed() else { return };
    let options = Options::workers(3).flags("--min-healthy-time 50ms");
    let cluster = Cluster::start_command(&[&program], options);
    let before: BTreeSet<_> = cluster.started().into_values().collect();
    let load = Load::start(&cluster.target(), 4, "/");
    wait_until("the load has begun", PATIENCE, || load.done() > 20);
    cluster.order("reload --wait");
    let asked = load.done();
    wait_until("the new ones are asked", PATIENCE, || load.done() > asked + 40);
    load.finish_unharmed();
    wait_until("those before have ended", PATIENCE, || before.iter().all(|pid| !is_alive(*pid)));
    cluster.stop();
}

#[test]
fn behind_what_clears_its_environment_and_in_what_it_starts() {
    let Some(program) = fixed() else { return };
    let script = r#"exec env -i HOST="$HOST" PORT="$PORT" PROCESS_LOGICAL_ID="$PROCESS_LOGICAL_ID" sh -c '"$0"; exit $?' "$0""#;
    let command = ["sh".into(), "-c".into(), script.to_owned(), program.display().to_string()];
    let cluster = Cluster::start_command(&command, Options::workers(2).flags("--intercept seccomp"));
    assert_eq!(all_answer(&cluster.target(), 2).len(), 2);
    assert_eq!(cluster.inspect()["intercept_reason"], "--intercept seccomp");
    cluster.stop_by(libc::SIGINT);
}

#[test]
fn children_that_a_worker_forks_serve_with_it() {
    if !require("cc") {
        return;
    }
    let program = c_program("prefork", &["-static"]);
    for workers in [1, 2] {
        let cluster = Cluster::start_command(&[&program], Options::workers(workers));
        let mut pids = BTreeSet::new();
        wait_until("both children of each worker answer", PATIENCE, || {
            let load = Load::start(&cluster.target(), 6, "/");
            wait_until("some are answered", PATIENCE, || load.done() > 40);
            pids.extend(load.finish_unharmed().into_iter().map(|who| who.pid));
            pids.len() >= 2 * workers
        });
        // They wait in accept(), and the supervisor leaves it at that.
        assert!(!cluster.log().text().contains("accept4"), "{}", cluster.log().text());
        cluster.stop();
    }
}

#[test]
fn all_get_the_port_that_the_system_chooses_once() {
    let Some(program) = fixed() else { return };
    let cluster = Cluster::start_command(&[&program], Options::workers(3).listen(Listen::Zero("0.0.0.0")));
    assert_eq!(cluster.addresses().len(), 1, "{:?}", cluster.addresses());
    assert_eq!(all_answer(&cluster.target(), 3).len(), 3);
    cluster.stop();
}

#[test]
fn listeners_by_mptcp_are_shared_like_those_by_tcp() {
    let Some(program) = fixed() else { return };
    if !has_mptcp() {
        return;
    }
    for listen in [Listen::Host("127.0.0.1"), Listen::Host("::1"), Listen::Zero("0.0.0.0")] {
        let options = Options::workers(2).env("MPTCP", "1").listen(listen);
        let cluster = Cluster::start_command(&[&program], options);
        assert_eq!(cluster.addresses().len(), 1, "{:?}", cluster.addresses());
        assert_eq!(all_answer(&cluster.target(), 2).len(), 2, "{listen:?}");
        cluster.stop();
    }
}

#[test]
fn a_private_address_is_the_first_ones_alone() {
    let Some(program) = fixed() else { return };
    let options = Options::workers(2).flags("--private *:1-65535 --respawn 0 --keep-trying").at_once();
    let mut cluster = Cluster::start_command(&[&program], options);
    // From bind, or from listen where both have bound before the first listens.
    cluster.log().wait_for(": Address already in use");
    let target = cluster.target();
    wait_until("one serves", PATIENCE, || who(&target).is_ok());
    assert!(!cluster.log().text().contains(" listens on "), "it is not the cluster's");
    cluster.signal(libc::SIGINT);
    cluster.wait_exit();
}

/// A worker that goes on to bind when it is told to.
fn waits(cluster_dir: &str) -> String {
    format!("until [ -e {cluster_dir}/go ]; do sleep 0.02; done; exec \"$0\"")
}

/// What the kernel says that the first thread of the process waits in.
fn waits_for_answer(pid: u32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    call.split(' ').next().and_then(|number| number.parse().ok()) == Some(libc::SYS_bind)
}

#[test]
fn a_supervisor_that_is_stopped_meanwhile_answers_when_it_goes_on() {
    let Some(program) = fixed() else { return };
    let folder = harness::TempDir::new();
    let place = folder.path().display().to_string();
    let command = ["sh".to_owned(), "-c".to_owned(), waits(&place), program.display().to_string()];
    let options = Options::workers(1).flags("--intercept seccomp").at_once();
    let mut cluster = Cluster::start_command(&command, options);
    wait_until("the worker is started", PATIENCE, || cluster.started().contains_key("0"));
    cluster.signal(libc::SIGSTOP);
    std::fs::write(folder.path().join("go"), "").expect("it is writable");
    let pid = cluster.started()["0"];
    wait_until("its bind waits", PATIENCE, || waits_for_answer(pid));
    cluster.signal(libc::SIGCONT);
    cluster.wait_ready(1);
    assert_eq!(who(&cluster.target()).expect("it serves").id, "0");
    cluster.stop();
}

#[test]
fn a_supervisor_that_dies_meanwhile_lets_the_call_fail_and_others_serve_on() {
    let Some(program) = fixed() else { return };
    let folder = harness::TempDir::new();
    let place = folder.path().display().to_string();
    let script = format!("[ \"$PROCESS_LOGICAL_ID\" = 0 ] || {{ {}; }}; exec \"$0\"", waits(&place));
    let command = ["sh".to_owned(), "-c".to_owned(), script, program.display().to_string()];
    let options = Options::workers(2).flags("--intercept seccomp --on-supervisor-death keep").at_once();
    let mut cluster = Cluster::start_command(&command, options);
    cluster.wait_ready(1);
    wait_until("both are started", PATIENCE, || cluster.started().len() == 2);
    cluster.signal(libc::SIGSTOP);
    std::fs::write(folder.path().join("go"), "").expect("it is writable");
    let pid = cluster.started()["1"];
    wait_until("its bind waits", PATIENCE, || waits_for_answer(pid));
    cluster.signal(libc::SIGKILL);
    cluster.wait_exit();
    cluster.log().wait_for("bind: Function not implemented");
    assert_eq!(who(&cluster.target()).expect("the other goes on").id, "0");
    let target = cluster.target();
    signal(cluster.started()["0"], libc::SIGTERM);
    wait_until("it has closed its listener, and nobody else has it", PATIENCE, || refused(&target));
}

#[test]
fn what_changes_its_user_is_refused_all_the_same() {
    let folder = harness::TempDir::new();
    let Some(program) = harness::setuid_program(folder.path()) else { return };
    let said = harness::cli_command(folder.path(), "run --intercept seccomp --").arg(&program).output();
    let said = String::from_utf8_lossy(&said.expect("it starts").stderr).into_owned();
    assert!(said.contains("setuid") && said.contains("with a seccomp filter it would gain none"), "{said}");
}
