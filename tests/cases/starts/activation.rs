//! Socket activation: sockets that a service manager has opened are the shared ones of the programs that listen at their addresses, and outlive
//! the cluster.

use harness::{
    App, Cluster, Load, Options, PATIENCE, Port, Target, TempDir, app, app_dir, cli_command, get,
    interpreter, open, require, signal, wait_for_ids, wait_until,
};
use std::ffi::OsString;
use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// A cluster below what passes it sockets at these addresses.
fn below(addresses: &[String], options: Options) -> Options {
    let python = interpreter("python3").into_string().expect("a plain path");
    let script = app_dir().join("python/activate.py").display().to_string();
    let mut words = vec![python, script];
    words.extend_from_slice(addresses);
    words.push("--".to_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    options.below(&words)
}

/// A program that listens at this port, whatever port the test was given.
fn program(app: &App, port: &Port) -> Vec<OsString> {
    let mut command: Vec<OsString> = vec!["env".into(), "HOST=127.0.0.1".into()];
    command.push(format!("PORT={}", port.number()).into());
    command.extend(app.default_command());
    command
}

fn target(port: u16) -> Target {
    Target::parse(&format!("127.0.0.1:{port}")).expect("an address")
}

#[test]
fn systemd_passes_a_socket() {
    let Some(app) = app("c-epoll") else { return };
    if !require("systemd-socket-activate") {
        return;
    }
    let port = Port::free();
    let address = format!("127.0.0.1:{}", port.number());
    let mut words = vec!["systemd-socket-activate", "-l", &address, "--fdname=web"];
    // It leaves nothing of its environment to whom it starts.
    for name in ["CLUSTERMON_TEST_ID", "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"] {
        words.extend(["-E", name]);
    }
    let options = Options::workers(2).flags("--name web --min-healthy-time 50ms --idle-grace 100ms");
    let mut cluster = Cluster::start_command(&program(&app, &port), options.below(&words).at_once());
    // The first client has it started, and is served once it is.
    let first = harness::wait_for("it listens", PATIENCE, || TcpStream::connect(&address).ok());
    cluster.wait_ready(2);
    drop(first);
    let target = target(port.number());
    wait_for_ids(&target, &app, 2);
    cluster.log().wait_for(&format!("socket activation: {address} (fd 3, web)"));
    let inspected = cluster.inspect();
    assert_eq!(inspected["load_balancers"][0]["address"], address);
    assert_eq!(cluster.log().count("no worker listens on"), 0);
    for pid in cluster.started().into_values() {
        let environ = fs::read(format!("/proc/{pid}/environ")).expect("the worker runs");
        let environ = String::from_utf8_lossy(&environ).into_owned();
        assert!(!environ.contains("LISTEN_"), "{environ}");
    }
    let load = Load::start(&target, 4, "/");
    cluster.order("reload");
    load.finish_unharmed();
    cluster.stop();
}

#[test]
fn the_socket_outlives_the_cluster_and_nobody_is_refused() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let port = Port::free();
    let address = format!("127.0.0.1:{}", port.number());
    for dispatch in ["credit", "handoff"] {
        let options =
            Options::workers(2).flags(&format!("--name web --idle-grace 100ms --dispatch {dispatch}"));
        let options = below(std::slice::from_ref(&address), options);
        let mut cluster = Cluster::start_command(&program(&app, &port), options);
        let target = target(port.number());
        wait_for_ids(&target, &app, 2);
        let load = Load::start(&target, 4, "/");
        for restart in 1..3 {
            cluster.signal(libc::SIGHUP);
            cluster.wait_ready(2 * (restart + 1));
            let done = load.done();
            wait_until("the clients are served again", PATIENCE, || load.done() > done + 20);
        }
        load.finish_unharmed();
        cluster.stop();
    }
}

#[test]
fn a_unix_socket_and_its_file_outlive_the_cluster() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join("web.sock").display().to_string();
    let options = Options::workers(2).flags("--name web").env("UNIX_PATH", &path);
    let options = below(std::slice::from_ref(&path), options);
    let mut cluster = Cluster::start_command(&app.default_command(), options);
    let target = Target::parse(&path).expect("a path");
    wait_for_ids(&target, &app, 2);
    let before = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).expect("it is there"));
    cluster.signal(libc::SIGHUP);
    // Whoever comes meanwhile waits.
    let waits = UnixStream::connect(&path).expect("the socket listens");
    cluster.wait_ready(4);
    wait_for_ids(&target, &app, 2);
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).expect("it is there")), before);
    drop(waits);
    cluster.signal(libc::SIGTERM);
    assert_eq!(cluster.wait_exit().code(), Some(0));
    assert!(fs::metadata(&path).is_ok(), "the file is the service manager's");
}

#[test]
fn what_nobody_listens_on_is_told() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let (port, other, udp) = (Port::free(), Port::free(), Port::free());
    let at = |port: &Port| format!("127.0.0.1:{}", port.number());
    let addresses = [at(&port), at(&other), format!("udp:{}", at(&udp))];
    let options = below(&addresses, Options::workers(1).flags("--name web"));
    let cluster = Cluster::start_command(&program(&app, &port), options);
    cluster.log().wait_for(&format!("no worker listens on {} (fd 4, socket1)", at(&other)));
    cluster.log().wait_for("socket activation: fd 5, socket2: UDP and other datagrams are not taken");
    assert_eq!(cluster.log().count("no worker listens on"), 1);
    get(&target(port.number()), "/").expect("it is served");
    cluster.stop();
}

#[test]
fn an_address_that_is_not_quite_that_of_the_socket_is_told() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let port = Port::free();
    let address = format!("127.0.0.1:{}", port.number());
    let mut command = program(&app, &port);
    command[1] = "HOST=0.0.0.0".into();
    let options =
        below(std::slice::from_ref(&address), Options::workers(1).flags("--name web --respawn 0").at_once());
    let mut cluster = Cluster::start_command(&command, options);
    assert_eq!(cluster.wait_exit().code(), Some(1));
    let told = format!("the service manager has passed a socket for exactly {address} (fd 3, socket0)");
    assert!(cluster.log().count(&told) >= 1, "{}", cluster.log().text());
}

#[test]
fn what_can_do_nothing_with_it_is_refused() {
    if !require("python3") || !require("cc") {
        return;
    }
    let (folder, port) = (TempDir::new(), Port::free());
    let script = app_dir().join("python/activate.py");
    fs::write(folder.path().join("clustermon.toml"), "[app.web]\ncommand = \"true\"\n")
        .expect("the folder is ours");
    for (words, why) in [
        ("run -d -- sh -c exit", "--detach: a service manager has passed sockets"),
        ("up", "nobody says which app they are for"),
        ("up -d", "nobody says which app they are for"),
        ("run --dispatch kernel -- sh -c exit", "--dispatch kernel each worker needs a socket of its own"),
        ("run --intercept seccomp -- sh -c exit", "come by a seccomp filter"),
    ] {
        let own = cli_command(folder.path(), words);
        let mut command = std::process::Command::new(interpreter("python3"));
        command.arg(&script).arg(format!("127.0.0.1:{}", port.number())).arg("--").arg(own.get_program());
        command.args(own.get_args()).env("RUNTIME_DIRECTORY", folder.path()).current_dir(folder.path());
        let output = command.output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}: {told}");
        assert!(told.contains(why), "{words}: {told}");
    }
}

#[test]
fn a_killed_worker_leaves_the_socket_as_it_was() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let port = Port::free();
    let options = below(&[format!("127.0.0.1:{}", port.number())], Options::workers(1).flags("--name web"));
    let mut cluster = Cluster::start_command(&program(&app, &port), options);
    for life in 1..4 {
        signal(cluster.started()["0"], libc::SIGKILL);
        cluster.wait_ready(life + 1);
        open(&target(port.number()), &app).who().expect("an answer");
    }
    cluster.stop();
}
