//! Commands return when they are done, say what they did, and can be left waiting; `run` waits for a name that is becoming
//! free.

use harness::{
    Cluster, Log, Options, PATIENCE, Pid, Port, app, app_dir, c_program, cli, cli_command, interpreter,
    require, signal, wait_for, wait_until,
};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// One worker that ends on SIGKILL alone, and is given all the time that it wants.
fn stubborn(name: &str) -> Option<Cluster> {
    if !require("python3") {
        return None;
    }
    let command = [interpreter("python3"), app_dir().join("python/stubborn.py").into_os_string()];
    let flags = format!("--name {name} --stop-timeout infinity --drain none --shutdown-timeout 1h");
    Some(Cluster::start_command(&command, Options::workers(1).flags(&flags)))
}

fn pid(cluster: &Cluster) -> Pid {
    let pid = cluster.inspect_worker("0")["pid"].as_u64().expect("it runs");
    Pid::try_from(pid).expect("that is a pid")
}

/// The command, with this done at a Ctrl-C, however the tests were started.
fn with_interrupt(mut command: Command, handler: libc::sighandler_t) -> Child {
    // SAFETY: signal() is async-signal-safe, and no handler is installed.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGINT, handler);
            Ok(())
        });
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

#[test]
fn each_says_in_a_line_what_it_did() {
    let Some(app) = app("c-epoll") else { return };
    let flags = "--min-healthy-time 50ms --idle-grace 100ms";
    let mut cluster = Cluster::start(&app, Options::workers(2).flags(flags));
    for (words, told) in [
        ("restart /0", "worker 0 restarted"),
        ("restart", "2 workers restarted"),
        ("restart --wait --wait-timeout 10m", "2 workers restarted"),
        ("stop /1", "worker 1 stopped"),
        ("start /1", "worker 1 runs"),
        ("force-stop /1 --wait", "worker 1 stopped"),
        ("start", "2 workers run"),
        ("scale 3", "3 workers run"),
        ("reload", "reloaded: 3 workers have a new process"),
        ("scale 1", "1 worker runs"),
        ("restart --no-wait", "restarting 1 worker"),
        ("start", "1 worker runs"),
        ("stop", "stopped"),
    ] {
        assert_eq!(cluster.order(words), format!("clustermon epoll: {told}\n"), "{words}");
    }
    assert!(cluster.temp().socket_files().is_empty(), "its name is free again");
    assert_eq!(cluster.wait_exit().code(), Some(0));
}

#[test]
fn ctrl_c_ends_the_waiting_alone() {
    let Some(cluster) = stubborn("web") else { return };
    let stop = || cli_command(&cluster.runtime_dir(), "stop /0");
    let waiting = with_interrupt(stop(), libc::SIG_DFL);
    // As a shell has it for what it runs in the background.
    let deaf = with_interrupt(stop(), libc::SIG_IGN);
    wait_until("it is stopping", PATIENCE, || cluster.inspect_worker("0")["state"] == "stopping");
    cluster.log().wait_for_count("control: stop worker 0, asked by process ", 2, PATIENCE);
    for child in [&waiting, &deaf] {
        signal(child.id(), libc::SIGINT);
    }
    let left = waiting.wait_with_output().expect("it is ours");
    assert_eq!(left.status.code(), Some(130));
    let told = String::from_utf8_lossy(&left.stderr).into_owned();
    assert_eq!(told, "clustermon: no longer waiting; the stop goes on: see `clustermon status`\n");
    assert_eq!(cluster.inspect_worker("0")["state"], "stopping", "it goes on");
    cluster.order("force-stop /0");
    let done = deaf.wait_with_output().expect("it is ours");
    assert_eq!(
        (done.status.code(), done.stdout.as_slice()),
        (Some(0), &b"clustermon web: worker 0 stopped\n"[..])
    );
    cluster.stop();
}

#[test]
fn a_stop_is_over_when_its_process_has_ended_though_another_runs() {
    let Some(cluster) = stubborn("web") else { return };
    let old = pid(&cluster);
    let mut stop = cli_command(&cluster.runtime_dir(), "stop /0");
    let waiting = stop.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until("it is stopping", PATIENCE, || cluster.inspect_worker("0")["state"] == "stopping");
    assert_eq!(cluster.order("start /0 --no-wait"), "clustermon web: starting worker 0\n");
    signal(old, libc::SIGKILL);
    let done = waiting.wait_with_output().expect("it is ours");
    assert_eq!(
        (done.status.code(), done.stdout.as_slice()),
        (Some(0), &b"clustermon web: worker 0 stopped\n"[..])
    );
    wait_until("another runs", PATIENCE, || cluster.inspect_worker("0")["state"] == "running");
    assert_ne!(pid(&cluster), old);
    cluster.order("force-stop /0");
    cluster.stop();
}

/// Ends what a test has started in the background, should it fail.
struct InBackground(PathBuf);

impl Drop for InBackground {
    fn drop(&mut self) {
        cli(&self.0, "force-stop");
    }
}

fn run(folder: &Path, name: &str, port: &Port, program: &str) -> Child {
    let mut run = cli_command(folder, &format!("run --detach -n 1 {name} -- {program}"));
    run.env("HOST", "127.0.0.1").env("PORT", port.number().to_string());
    run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

#[test]
fn run_waits_for_a_name_that_is_becoming_free() {
    if app("c-epoll").is_none() {
        return;
    }
    let program = c_program("epoll", &[]).display().to_string();
    for given in ["--name epoll", ""] {
        let Some(mut cluster) = stubborn("epoll") else { return };
        let (folder, worker, port) = (cluster.runtime_dir(), pid(&cluster), Port::free());
        assert_eq!(cluster.order("stop --no-wait"), "clustermon epoll: stopping\n");
        let mut run = run(&folder, given, &port, &program);
        let (said, reader) = Log::collect(run.stderr.take().expect("it is piped"));
        said.wait_for("clustermon: epoll: process ");
        assert!(
            said.text().contains(&format!("process {} is stopping; waiting", cluster.pid())),
            "{}",
            said.text()
        );
        assert!(run.try_wait().expect("it is ours").is_none(), "it did not wait");
        let _background = InBackground(folder.clone());
        signal(worker, libc::SIGKILL);
        assert_eq!(cluster.wait_exit().code(), Some(0));
        let done = run.wait_with_output().expect("it is ours");
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(out.starts_with("clustermon epoll: running, pid "), "{out} {}", said.text());
        reader.join().expect("it has ended");
        assert_eq!(cli(&folder, "stop").good(), "clustermon epoll: stopped\n");
        wait_for("its socket is gone", PATIENCE, || cluster.temp().socket_files().is_empty().then_some(()));
    }
}
