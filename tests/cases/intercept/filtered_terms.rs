//! On which terms programs with the seccomp filter are workers: rights, containers, older kernels, and what holds of a socket that all
//! share.

use crate::intercept::filtered::{all_answer, fixed};
use harness::{
    Cluster, Conn, Listen, Options, PATIENCE, c_program, command, require, signal, wait_until, who,
};
use std::fs;
use std::os::unix::fs::symlink;

/// One number of what the kernel tells of a process.
fn told(pid: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[test]
fn no_new_privs_is_set_only_where_the_kernel_wants_it() {
    let Some(program) = fixed() else { return };
    let mighty = |pid| told(pid, "CapEff:").is_some_and(|set| set & 1 << 21 != 0);
    let cluster = Cluster::start_command(&[&program], Options::workers(1));
    let expected = if mighty(cluster.pid()) { told(cluster.pid(), "NoNewPrivs:") } else { Some(1) };
    assert_eq!(told(cluster.started()["0"], "NoNewPrivs:"), expected);
    cluster.stop();
    if !require("setpriv") || !mighty(std::process::id()) {
        return;
    }
    let weak = Options::workers(1).below(&["setpriv", "--bounding-set=-sys_admin", "--"]);
    let cluster = Cluster::start_command(&[&program], weak);
    assert!(!mighty(cluster.pid()) && told(cluster.started()["0"], "NoNewPrivs:") == Some(1));
    assert_eq!(who(&cluster.target()).expect("it serves").id, "0");
    cluster.stop();
}

#[test]
fn a_container_that_forbids_it_is_told_what_to_allow() {
    let Some(program) = fixed() else { return };
    let profile = c_program("profile", &[]).display().to_string();
    let folder = harness::TempDir::new();
    let said = |words: &[&str]| {
        let mut command = std::process::Command::new(&profile);
        command.args(["container", "--"]).arg(harness::clustermon()).args(words).arg(&program);
        let output = command.env("XDG_RUNTIME_DIR", folder.path()).output().expect("it starts");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let (code, told) = said(&["run", "--"]);
    assert!(code == Some(2) && told.lines().count() == 1, "{told}");
    assert!(told.contains("pidfd_getfd(2) is not let through") && told.contains("CAP_SYS_PTRACE"), "{told}");
    let (code, told) = said(&["doctor", "--"]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.lines().any(|line| line.starts_with("no ") && line.contains("CAP_SYS_PTRACE")), "{told}");
    // What the library can enter works there as everywhere.
    let options = Options::workers(2).below(&[&profile, "container", "--"]);
    let cluster = Cluster::start_command(&[c_program("epoll", &[])], options);
    assert!(who(&cluster.target()).is_ok());
    cluster.stop();
}

#[test]
fn a_kernel_that_lets_signals_interrupt_the_call_will_do() {
    let Some(program) = fixed() else { return };
    let profile = c_program("profile", &[]).display().to_string();
    let options = Options::workers(3).flags("-v").below(&[&profile, "old", "--"]);
    let cluster = Cluster::start_command(&[&program], options);
    assert_eq!(cluster.log().count("is_steady: false"), 3, "{}", cluster.log().text());
    assert_eq!(all_answer(&cluster.target(), 3).len(), 3);
    cluster.stop();
}

#[test]
fn one_that_is_stopped_is_out_of_rotation_and_the_others_serve() {
    let Some(program) = fixed() else { return };
    let cluster = Cluster::start_command(&[&program], Options::workers(2).flags("--lag-limit 300ms"));
    let stopped = cluster.started()["0"];
    signal(stopped, libc::SIGSTOP);
    cluster.log().wait_for("worker 0 has been busy for ");
    wait_until("it is shown", PATIENCE, || {
        cluster.inspect()["load_balancers"][0]["rotation"] == serde_json::json!(["1"])
    });
    for _ in 0..20 {
        assert_eq!(who(&cluster.target()).expect("the other serves").id, "1");
    }
    signal(stopped, libc::SIGCONT);
    cluster.log().wait_for("worker 0 keeps up again");
    cluster.stop();
}

#[test]
fn one_that_is_cordoned_is_shown_so_and_comes_back() {
    let Some(program) = fixed() else { return };
    let cluster = Cluster::start_command(&[&program], Options::workers(2));
    let rotation = |wanted: serde_json::Value| {
        wait_until("it is shown", PATIENCE, || cluster.inspect()["load_balancers"][0]["rotation"] == wanted);
    };
    cluster.order("cordon /0");
    rotation(serde_json::json!(["1"]));
    cluster.order("uncordon /0");
    rotation(serde_json::json!(["1", "0"]));
    cluster.order("scale 3");
    wait_until("there are three", PATIENCE, || cluster.ready_count() == 3);
    assert_eq!(all_answer(&cluster.target(), 3).len(), 3);
    cluster.stop();
}

#[test]
fn one_that_closes_its_listener_and_listens_again_is_one_worker_still() {
    if !require("cc") {
        return;
    }
    let program = c_program("epoll", &["-static"]);
    let cluster = Cluster::start_command(&[&program], Options::workers(1));
    let mut conn = Conn::open(&cluster.target()).expect("it listens");
    for page in ["/close-listener", "/listen-again"] {
        command(&mut conn, page);
    }
    for _ in 0..4 {
        assert_eq!(who(&cluster.target()).expect("it listens again").id, "0");
    }
    wait_until("the closed one is forgotten", PATIENCE, || {
        cluster.inspect()["load_balancers"][0]["rotation"] == serde_json::json!(["0"])
    });
    cluster.stop_by(libc::SIGINT);
}

#[test]
fn what_cannot_hold_is_said_or_refused() {
    let Some(program) = fixed() else { return };
    let options = Options::workers(1).flags("--policy least-connections --max-connections 5");
    let cluster = Cluster::start_command(&[&program], options);
    let told = "no effect with a seccomp filter, where the kernel brings connections: ";
    cluster.log().wait_for(&format!("{told}--policy, --max-connections"));
    cluster.stop();
    let folder = harness::TempDir::new();
    let said = harness::cli_command(folder.path(), "run --ready http:/health --").arg(&program).output();
    let said = String::from_utf8_lossy(&said.expect("it starts").stderr).into_owned();
    assert!(said.contains("--ready http:/health: a worker cannot be asked alone"), "{said}");
}

#[test]
fn a_reload_to_a_program_of_the_other_kind_changes_nothing() {
    let Some(program) = fixed() else { return };
    let folder = harness::TempDir::new();
    let (one, two, current) =
        (folder.path().join("one"), folder.path().join("two"), folder.path().join("current"));
    for (place, built) in [(&one, program), (&two, c_program("epoll", &[]))] {
        fs::create_dir(place).expect("it is writable");
        fs::copy(built, place.join("serve")).expect("it is writable");
    }
    symlink(&one, &current).expect("it is writable");
    let options = Options::workers(1).flags(&format!("--cwd {}", current.display()));
    let cluster = Cluster::start_command(&["./serve"], options);
    let before = cluster.started();
    fs::remove_file(&current).expect("it is there");
    symlink(&two, &current).expect("it is writable");
    let said = cluster.cli("reload --wait");
    let why = "listeners come by seccomp so far and would come by preload now";
    assert!(said.code == Some(5) && said.err.contains(why), "{said:?}");
    assert_eq!((cluster.started(), who(&cluster.target()).expect("it serves on").id), (before, "0".into()));
    cluster.stop();
}

#[test]
fn a_unix_socket_is_its_workers_own_and_that_is_said() {
    let Some(program) = fixed() else { return };
    let options = Options::workers(1).listen(Listen::Path("own.sock")).at_once();
    let cluster = Cluster::start_command(&[&program], options);
    cluster
        .log()
        .wait_for("own.sock by itself: unix sockets of programs with a seccomp filter are not shared");
    wait_until("it serves", PATIENCE, || who(&cluster.target()).is_ok());
    cluster.signal(libc::SIGINT);
}

#[test]
fn a_cluster_of_such_programs_is_no_worker_of_another_and_says_why() {
    let Some(program) = fixed() else { return };
    let inner = ["run", "-n", "1", "--control", "none", "--"].map(str::to_owned);
    let command = [vec![harness::clustermon().display().to_string()], inner.to_vec()].concat();
    let command = [command, vec![program.display().to_string()]].concat();
    // It may not know that it is a worker.
    let unaware = [["env", "-u", "CLUSTERMON_SOCKET"].map(str::to_owned).to_vec(), command.clone()].concat();
    for (command, how, told) in [
        (&command, "auto", "this supervisor is itself a worker"),
        (&command, "seccomp", "this supervisor is itself a worker"),
        (&unaware, "seccomp", "a seccomp filter that asks another process is in force here already"),
    ] {
        let options = Options::workers(1).flags(&format!("--intercept {how} --respawn 0")).at_once();
        let mut cluster = Cluster::start_command(command, options);
        cluster.log().wait_for(told);
        cluster.signal(libc::SIGINT);
        cluster.wait_exit();
    }
}
