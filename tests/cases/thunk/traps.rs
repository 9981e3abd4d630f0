//! What has broken other interposers: apps/c/traps.c walks into each trap, alone and as a worker, and must say the same.

use harness::{
    Cluster, Listen, Native, Options, PATIENCE, TempDir, app, app_dir, c_program, interpreter, is_alive,
    require, signal, state, wait_for, wait_until, who,
};
use std::ffi::OsString;

fn command(name: &str) -> Vec<OsString> {
    vec![c_program("traps", &[]).into(), name.into()]
}

#[track_caller]
fn compare(name: &str) {
    compare_on(name, Listen::Host("127.0.0.1"));
}

#[track_caller]
fn compare_on(name: &str, listen: Listen) {
    if !require("cc") {
        return;
    }
    let folder = TempDir::new();
    let path = folder.path().join("alone");
    let alone =
        Native::run_for_file(command(name), &Options::default().listen(listen).env("TRAP_OUT", &path), &path);
    for bad in ["not served", "paired 0", "connect: errno", "bind: errno"] {
        assert!(!alone.contains(bad), "{name} fails alone:\n{alone}");
    }
    let path = folder.path().join("worker");
    let options = Options::workers(1).listen(listen).flags("--respawn 0").env("TRAP_OUT", &path).at_once();
    let cluster = Cluster::start_command(&command(name), options);
    let worker = wait_for("the trap is behind it", PATIENCE, || std::fs::read_to_string(&path).ok());
    assert_eq!(worker, alone, "{name} went otherwise in a worker");
    cluster.log().wait_for(" listens on ");
}

/// Each trap is a test of its own.
macro_rules! traps {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                compare(stringify!($name));
            }
        )*
    };
}

traps! {
    no_standard_descriptors
    closes_everything
    becomes_a_daemon
    becomes_a_daemon_later
    executes_itself
    is_handed_down
    child_listens
    listens_by_a_copy
    signals_restart
    signals_interrupt
    vfork_child
    signal_driven
    clears_its_environment
    descriptors_run_out
    listens_after_a_shutdown
    reads_its_listener
    reads_its_listener_checked
    reads_its_listener_when_descriptors_run_out
    reads_before_constructors
    is_cancelled_in_read
}

/// What the kernel says differs by family.
#[test]
fn reads_its_listener_on_a_path() {
    for name in ["reads_its_listener", "reads_its_listener_when_descriptors_run_out"] {
        compare_on(name, Listen::Path("a.sock"));
    }
}

/// It is in a group of its own, behind that of the supervisor: the kernel stops who reads a terminal from there.
#[test]
fn a_background_group_that_reads_its_terminal_stops() {
    if !require("python3") {
        return;
    }
    let python = interpreter("python3").into_string().expect("a plain path");
    let helper =
        app_dir().join("python/on_terminal.py").into_os_string().into_string().expect("a plain path");
    let options = Options::workers(1).below(&[&python, &helper, "leader"]).flags("--stop-timeout 300ms");
    let reader = ["sh", "-c", "read line < /dev/tty; exit 7"];
    let mut cluster = Cluster::start_command(&reader, options.at_once());
    let pid = wait_for("it is started", PATIENCE, || cluster.started().get("0").copied());
    wait_until("it is stopped", PATIENCE, || state(pid) == Some('T'));
    // Neither does the supervisor stop, nor is what it started in the way of its end.
    let supervisor = cluster.processes().into_iter().find(|one| is_supervisor_of(*one, pid));
    let supervisor = supervisor.expect("it has started the worker");
    assert!(state(supervisor) != Some('T'), "the supervisor stopped");
    signal(supervisor, libc::SIGTERM);
    wait_until("it ends", PATIENCE, || !is_alive(supervisor));
    // The terminal goes, and who made it.
    cluster.signal(libc::SIGUSR1);
    cluster.wait_exit();
    cluster.assert_nothing_left();
}

fn is_supervisor_of(pid: harness::Pid, worker: harness::Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    fields.split(' ').nth(1) == Some(&pid.to_string())
}

/// What clears the variables before it starts the program starts it outside the cluster.
#[test]
fn a_command_without_the_variables_is_left_alone() {
    let Some(app) = app("c-epoll") else { return };
    let script = "exec env -i HOST=$HOST PORT=$PORT \"$0\"";
    let command: [OsString; 4] =
        ["sh".into(), "-c".into(), script.into(), app.default_command().swap_remove(0)];
    let cluster = Cluster::start_command(&command, Options::workers(1).at_once());
    wait_until("it answers", PATIENCE, || who(&cluster.target()).is_ok());
    assert!(cluster.addresses().is_empty(), "{}", cluster.log().text());
    cluster.stop();
}

/// Every test that docs/traps.md names is there.
#[test]
fn the_document_names_tests() {
    let document = include_str!("../../../docs/traps.md");
    let mut count = 0;
    for name in document.split('`').filter(|word| word.contains("::") && !word.contains(' ')) {
        let Some((file, test)) = name.rsplit_once("::").filter(|(_, test)| *test != "NAME") else { continue };
        let path =
            app_dir().parent().map(|tests| tests.join(format!("cases/{}.rs", file.replace("::", "/"))));
        let text = path.and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        let found = text.contains(&format!("fn {test}()")) || text.contains(&format!("\n    {test}\n"));
        assert!(found, "docs/traps.md names {name}, which is no test");
        count += 1;
    }
    assert!(count > 40, "{count} are named");
}
