//! A second `up`, of a file that says something else by now: what is told before anything is touched, what each change takes, and that what
//! fails goes back.

use super::folder::Folder;
use harness::{Port, Target, get, interpreter, require};
use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Says the words of its command line and V; with V=bad it ends at once.
const SERVER: &str = "
import os, socket, sys
if os.environ.get('V') == 'bad': sys.exit('this version is broken')
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
while True:
    connection = listener.accept()[0]
    connection.recv(1000)
    words = ' '.join([os.environ['V'], *sys.argv[1:]])
    connection.sendall(f'HTTP/1.1 200 OK\\r\\nContent-Length: {len(words)}\\r\\nConnection: close\\r\\n\\r\\n{words}'.encode())
    connection.close()
";

pub(super) struct Apps {
    pub(super) folder: Folder,
    pub(super) port: Port,
}

impl Apps {
    pub(super) fn new() -> Option<Self> {
        if !require("python3") {
            return None;
        }
        let apps = Self { folder: Folder::new(""), port: Port::free() };
        fs::write(apps.folder.path().join("server.py"), SERVER).expect("the folder is ours");
        Some(apps)
    }

    /// The file says this; `{PORT}` is the port of the app `web`.
    pub(super) fn say(&self, text: &str) -> &Folder {
        let python = interpreter("python3").into_string().expect("a plain path");
        let text = text.replace("{PORT}", &self.port.number().to_string()).replace("python3", &python);
        fs::write(self.folder.path().join("clustermon.toml"), text).expect("the folder is ours");
        &self.folder
    }

    pub(super) fn answer(&self) -> String {
        let target = Target::Tcp(SocketAddr::from(([127, 0, 0, 1], self.port.number())));
        get(&target, "/").map(|response| response.text()).unwrap_or_else(|error| error.to_string())
    }

    pub(super) fn pids(&self) -> Vec<u64> {
        let workers = self.folder.inspect("web")["workers"].clone();
        workers.as_array().expect("workers").iter().filter_map(|worker| worker["pid"].as_u64()).collect()
    }
}

pub(super) const WEB: &str =
    "[app.web]\nworkers = 2\ncommand = \"python3 server.py one\"\nenv = { PORT = {PORT}, V = \"s3cret\" }\n";

#[test]
fn what_is_another_way_is_told_and_then_so() {
    let Some(apps) = Apps::new() else { return };
    apps.say(&format!("{WEB}[app.job]\ncommand = \"sleep 1000\"\nworkers = 1\nstart-timeout = \"10ms\"\n"))
        .say("up -d")
        .good();
    let (before, supervisor) = (apps.pids(), apps.folder.inspect("web")["pid"].clone());
    let unchanged = apps.folder.say("up -d").good();
    assert!(
        unchanged.contains("web: runs already") && unchanged.contains("job: runs already"),
        "{unchanged}"
    );
    assert_eq!(apps.pids(), before);
    // What takes nothing.
    let folder = apps.say(&WEB.replace("workers = 2", "workers = 3\nstop-timeout = \"3s\""));
    let plan = folder.say("up --dry-run").good();
    for line in [
        "web: stop-timeout: now 3s (at once)",
        "web: workers: 2 -> 3 (at once)",
        "job: stops",
        "nothing was started",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    assert_eq!(apps.pids(), before, "nothing was touched");
    let told = folder.say("up -d").good();
    assert!(told.contains("clustermon job: stopped") && told.contains("changed: 3 workers run"), "{told}");
    let after = apps.pids();
    assert!(after.len() == 3 && after[..2] == before[..], "{before:?} {after:?}");
    assert_eq!(folder.say("list").good().lines().count(), 2, "one is left");
    // What takes new processes.
    let folder = apps.say(&WEB.replace("server.py one", "server.py two").replace("s3cret", "s3cond"));
    let told = folder.say("up -d").good();
    for line in ["server.py two (by a reload)", "env V: set -> another value", "web: reloaded"] {
        assert!(told.contains(line), "{told}");
    }
    assert!(!told.contains("s3c"), "{told}");
    assert_eq!(apps.answer(), "s3cond two");
    let last = apps.pids();
    assert!(last.len() == 2 && last.iter().all(|pid| !after.contains(pid)), "{after:?} {last:?}");
    assert_eq!(apps.folder.inspect("web")["pid"], supervisor, "one supervisor all the time");
    // Processes that come later are of the new kind, too.
    folder.say("restart web/0").good();
    assert_eq!((apps.answer(), apps.answer()), ("s3cond two".to_owned(), "s3cond two".to_owned()));
}

#[test]
fn what_fails_goes_back() {
    let Some(apps) = Apps::new() else { return };
    apps.say(WEB).say("up -d").good();
    let before = apps.pids();
    let bad = WEB.replace("s3cret", "bad").replace("workers = 2", "workers = 1\nhang-limit = \"9s\"");
    let folder = apps.say(&bad);
    let failed = folder.say("up -d");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for line in
        ["web: runs as before: reload failed", "this version is broken", "0 of 1 apps run as the file says"]
    {
        assert!(failed.err.contains(line), "{failed:?}");
    }
    assert_eq!((apps.answer(), apps.pids()), ("s3cret one".to_owned(), before.clone()));
    // It is as if it had not been tried: the same is still another way, and what was there is not.
    let plan = folder.say("up --dry-run").good();
    assert!(plan.contains("workers: 2 -> 1") && plan.contains("hang-limit"), "{plan}");
    assert!(apps.say(WEB).say("up --dry-run").good().contains("web: runs already"));
    apps.folder.say("restart web").good();
    assert_eq!(apps.answer(), "s3cret one");
    // What cannot be run is found before anything is touched, also where another app could be changed.
    let half = WEB.replace("workers = 2", "workers = 1") + "[app.other]\ncommand = \"/no/such/program\"\n";
    assert_eq!(apps.say(&half).say("up -d").code, Some(2));
    assert_eq!(apps.pids().len(), 2);
}

#[test]
fn what_takes_a_new_supervisor_is_said_and_left() {
    let Some(apps) = Apps::new() else { return };
    apps.say(WEB).say("up -d").good();
    let before = apps.pids();
    let folder = apps.say(&WEB.replace("workers = 2", "workers = 3\ndispatch = \"handoff\""));
    let said = folder.say("up -d");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("dispatch: now handoff (only by a new start)"), "{said:?}");
    assert!(
        said.err.contains("web: dispatch cannot be changed while it runs: `clustermon down web`"),
        "{said:?}"
    );
    assert_eq!(apps.pids()[..2], before[..], "{before:?}");
    assert_eq!(apps.pids().len(), 3, "what could be changed is");
    folder.say("down web").good();
    folder.say("up -d").good();
    assert!(folder.say("up --dry-run").good().contains("web: runs already"));
}

#[test]
fn a_cluster_of_somebody_else_is_left_as_it_is() {
    let Some(apps) = Apps::new() else { return };
    let folder = apps.say(&WEB.replace("server.py one", "server.py two"));
    let run = format!("run -d --name web -n 1 -- env PORT={} V=x python3 server.py", apps.port.number());
    folder.say(&run).good();
    let told = folder.say("up -d").good();
    assert!(told.contains("started by `clustermon run`, and is left as it is"), "{told}");
    assert_eq!(apps.answer(), "x");
}

#[test]
fn no_request_fails_while_it_changes() {
    let Some(apps) = Apps::new() else { return };
    apps.say(WEB).say("up -d").good();
    let target = Target::Tcp(SocketAddr::from(([127, 0, 0, 1], apps.port.number())));
    let (is_over, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let failed: Vec<String> = thread::scope(|scope| {
        let ask = || {
            while !is_over.load(Ordering::Relaxed) {
                get(&target, "/").map_err(|error| error.to_string())?;
                served.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), String>(())
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        let changes: Vec<_> = [3, 1, 2]
            .map(|workers| {
                let web = WEB.replace("workers = 2", &format!("workers = {workers}"));
                apps.say(&web.replace("s3cret", &format!("v{workers}"))).say("up -d")
            })
            .into();
        is_over.store(true, Ordering::Relaxed);
        // The clients are told before anything here may end the test.
        changes.into_iter().for_each(|said| assert!(said.good().contains("web: reloaded")));
        clients.into_iter().filter_map(|client| client.join().expect("it does not panic").err()).collect()
    });
    let served = served.into_inner();
    assert!(failed.is_empty(), "{failed:?} of {served}");
    assert!(served > 0 && apps.answer() == "v2 one" && apps.pids().len() == 2, "{served}");
}
