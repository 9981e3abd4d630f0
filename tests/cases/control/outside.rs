//! The library as others use it: a program outside this workspace, built from the example, far from any thunk. And its
//! documentation. Both compile into a folder that stays, so that only the first run takes long.

use harness::{
    Log, PATIENCE, Pid, Port, Target, TempDir, app, is_alive, marked, signal, wait_for, wait_for_ids,
    wait_until,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const MARK: &str = "CLUSTERMON_TEST_OUTSIDE";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("it is a folder of the workspace").to_owned()
}

/// cargo, that asks nobody on the network and compiles to a folder of these tests.
fn cargo(folder: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(folder)
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside"))
        // What cargo says of the package of these tests is not for another.
        .env_remove("CARGO_MANIFEST_DIR")
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn succeed(mut command: Command) {
    let output = command.output().expect("cargo started these tests");
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes a crate whose main is the example, and builds it. Returns the program, moved to the crate's own folder.
#[track_caller]
fn build(folder: &Path) -> PathBuf {
    let library = root().join("supervisor");
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nclustermon = {{ path = {library:?} }}\n\n\
         [profile.dev]\ndebug = false\n\n[workspace]\n"
    );
    fs::create_dir(folder.join("src")).expect("the directory is new");
    fs::write(folder.join("Cargo.toml"), manifest).expect("the directory is ours");
    // The versions that are at hand: nothing can be fetched.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).expect("the workspace has one");
    fs::copy(library.join("examples/embed.rs"), folder.join("src/main.rs")).expect("the example exists");
    let mut command = cargo(folder);
    command.args(["build", "--offline", "--quiet"]);
    succeed(command);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside/debug");
    let program = folder.join("outside");
    fs::copy(target.join("outside"), &program).expect("cargo has just built it");
    // The next run has another folder, for which cargo would keep another copy.
    for part in ["deps", "incremental", ".fingerprint"] {
        for entry in fs::read_dir(target.join(part)).expect("cargo made it").flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b"outside-") {
                let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
            }
        }
    }
    program
}

/// Kills what is left when a test fails.
struct Started {
    child: Child,
    mark: String,
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        marked(MARK, &self.mark).into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
    }
}

#[test]
fn a_program_of_ones_own_runs_a_cluster() {
    let Some(app) = app("node-http") else { return };
    let (crate_folder, place) = (TempDir::new(), TempDir::new());
    let program = build(crate_folder.path());
    let runtime = place.path().join("run");
    fs::create_dir(&runtime).expect("the directory is ours");
    let (port, mark) = (Port::free(), std::process::id().to_string());
    let mut command = Command::new(&program);
    command.args(app.default_command()).current_dir(place.path()).stdin(Stdio::null());
    command.env(MARK, &mark).env("PORT", port.number().to_string()).env("RUNTIME_DIRECTORY", &runtime);
    for name in ["LD_PRELOAD", "CLUSTERMON_THUNK", "HOST", "UNIX_PATH", "PROCESS_LOGICAL_ID"] {
        command.env_remove(name);
    }
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it was just built");
    let mut started = Started { child, mark };
    let (out, reader) = Log::collect(started.child.stdout.take().expect("it is piped"));
    let (err, err_reader) = Log::collect(started.child.stderr.take().expect("it is piped"));

    out.wait_for("started 2 workers");
    let target = Target::parse(&format!("127.0.0.1:{}", port.number())).expect("an address");
    wait_until("it listens", PATIENCE, || harness::get(&target, "/").is_ok());
    wait_for_ids(&target, &app, 2);
    let worker = harness::who(&target).expect("an answer").pid;
    assert_eq!(variable(worker, "SHARD").as_deref(), Some(&*format!("shard-{}", id(worker))));
    let thunk = variable(worker, "LD_PRELOAD").expect("that is how it is intercepted");
    assert!(Path::new(&thunk).starts_with(&runtime), "the library brings its own thunk, not {thunk}");

    let processes = marked(MARK, &started.mark);
    assert_eq!(processes.len(), 3, "{processes:?}");
    signal(started.child.id(), libc::SIGTERM);
    let status = wait_for("it ends", PATIENCE, || started.child.try_wait().expect("it is ours"));
    assert_eq!(status.code(), Some(0), "{}{}", out.text(), err.text());
    assert!(!processes.into_iter().any(is_alive), "its workers end with it");
    assert!(place.socket_files().is_empty(), "{:?}", place.socket_files());
    reader.join().expect("it has ended");
    err_reader.join().expect("it has ended");
    assert!(out.text().contains("at rest: Stopped"), "{}", out.text());
}

fn id(pid: Pid) -> String {
    variable(pid, "PROCESS_LOGICAL_ID").expect("a worker has one")
}

/// A variable that the process was started with.
fn variable(pid: Pid, name: &str) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).expect("it runs");
    let entries = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    entries.filter_map(|entry| Some(entry.strip_prefix(name)?.strip_prefix('=')?.to_owned())).next()
}

#[test]
fn the_documentation_has_no_fault() {
    let mut command = cargo(&root());
    command.args(["doc", "--offline", "--quiet", "-p", "clustermon", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    succeed(command);
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("outside/doc/clustermon/struct.Cluster.html");
    assert!(page.is_file(), "{} was not written", page.display());
}
