//! `clustermon up` and `down`: several apps of one file in the background and in the foreground, their order, and what happens to the
//! others when one fails.

use super::folder::Folder;
use harness::{PATIENCE, Port, app, c_program, is_alive, wait_until};
use std::fs;

/// Three apps, of which each but the first starts after another; each worker writes its app's name to a file first.
fn three() -> Option<Folder> {
    app("c-epoll")?;
    let start = format!("echo $NAME >> order; exec '{}'", c_program("epoll", &[]).display());
    let port = || Port::free().number();
    Some(Folder::new(&format!(
        "[defaults]\nworkers = 1\ncommand = [\"sh\", \"-c\", {start:?}]\nenv = {{ HOST = \"127.0.0.1\", TOKEN = \"s3cret\", RUNTIME_DIRECTORY = \"/nowhere\" }}\n\
         [app.web]\nafter = [\"api\"]\nenv = {{ NAME = \"web\", PORT = {} }}\n\
         [app.api]\nafter = [\"db\"]\nenv = {{ NAME = \"api\", PORT = {} }}\n\
         [app.db]\nenv = {{ NAME = \"db\", PORT = {} }}\n",
        port(),
        port(),
        port()
    )))
}

fn pid(value: &serde_json::Value) -> u32 {
    value.as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process")
}

/// That these stand in the text in this order.
#[track_caller]
fn in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part} is not there in its order: {text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn in_the_background_each_app_is_a_cluster_of_its_own() {
    let Some(folder) = three() else { return };
    let told = folder.say("up -d").good();
    in_order(&told, &["clustermon db: running, pid ", "clustermon api: running", "clustermon web: running"]);
    let before = folder.inspect("api");
    // Commands reach each by its name.
    assert!(folder.say("reload web").good().contains("web: reloaded"));
    let worker = folder.inspect("web/0");
    let environ = fs::read(format!("/proc/{}/environ", pid(&worker["pid"]))).expect("it runs");
    let environ = String::from_utf8_lossy(&environ);
    // Variables are for workers alone: this one would have hidden the control socket, by which the worker was found.
    assert!(environ.contains("TOKEN=s3cret") && environ.contains("RUNTIME_DIRECTORY=/nowhere"), "{environ}");
    assert!(!environ.contains("CLUSTERMON_APP_ENV"), "{environ}");
    let words = fs::read(format!("/proc/{}/cmdline", pid(&before["pid"]))).expect("it runs");
    assert!(!String::from_utf8_lossy(&words).contains("s3cret"));
    // Who runs is left as it is; who does not is started, and what it comes after is not touched.
    folder.say("stop web").good();
    let told = folder.say("up -d web").good();
    in_order(&told, &["db: runs already, pid ", "api: runs already", "clustermon web: running"]);
    assert_eq!(folder.inspect("api")["workers"][0]["pid"], before["workers"][0]["pid"]);
    let told = folder.say("down").good();
    assert_eq!(told, "clustermon web: stopped\nclustermon api: stopped\nclustermon db: stopped\n");
    assert_eq!(folder.say("list").good().lines().count(), 1);
    assert!(folder.say("down web").good().contains("web: does not run"));
    folder.say("up -d wbe").refusal(2);
}

#[test]
fn a_cluster_that_the_file_has_not_started_is_not_stopped() {
    let Some(folder) = three() else { return };
    let program = c_program("epoll", &[]).display().to_string();
    let port = Port::free().number();
    folder.say(&format!("run -d -n 1 --name web -- env HOST=127.0.0.1 PORT={port} {program}")).good();
    assert!(folder.say("up -d").good().contains("web: runs already, pid "));
    let told = folder.say("down").good();
    assert!(told.contains("web: was started by `clustermon run`, and is left as it is"), "{told}");
    assert!(told.ends_with("clustermon api: stopped\nclustermon db: stopped\n"), "{told}");
    assert!(folder.say("status web").good().starts_with("web: running, "));
    folder.say("stop web").good();
}

#[test]
fn one_that_fails_holds_up_only_what_comes_after_it() {
    if app("c-epoll").is_none() {
        return;
    }
    let program = c_program("epoll", &[]).display().to_string();
    let text = format!(
        "[defaults]\nworkers = 1\nenv.HOST = \"127.0.0.1\"\n[app.db]\ncommand = [\"sh\", \"-c\", \"echo the reason >&2; exit 3\"]\nrespawn = 0\n\
         [app.web]\ncommand = [{program:?}]\nafter = \"db\"\n[app.api]\ncommand = [{program:?}]\nenv.PORT = {}\n",
        Port::free().number()
    );
    let folder = Folder::new(&text);
    let told = folder.say("up -d");
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.out.starts_with("clustermon api: running, pid ") && told.out.lines().count() == 1,
        "{told:?}"
    );
    in_order(
        &told.err,
        &[
            "the reason",
            "clustermon: db: it has ended before it was ready: exit code 1",
            "clustermon: web: not started, because db is not ready",
            "clustermon: 1 of 3 apps run",
        ],
    );
    folder.say("down").good();

    let mut up = folder.foreground();
    wait_until("one is ready and one has failed", PATIENCE, || {
        let log = folder.log();
        log.contains("api: worker 0 is ready")
            && log.contains("web: not started, because db is not ready")
            && log.contains("has ended with exit code 1 before it was ready")
    });
    folder.say("stop api").good();
    assert_eq!(up.wait().expect("it is our child").code(), Some(1), "{}", folder.log());
}

#[test]
fn in_the_foreground_they_stop_in_their_order() {
    let Some(folder) = three() else { return };
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let mut up = folder.foreground();
        wait_until("all run", PATIENCE, || folder.log().contains("clustermon: all 3 apps run"));
        let order = fs::read_to_string(folder.path().join("order")).expect("the workers wrote it");
        assert!(order.ends_with("db\napi\nweb\n"), "{order}");
        assert_eq!(folder.say("status -q web").code, Some(0));
        // SAFETY: it names a child of ours that nobody has waited for, and touches no memory.
        assert_eq!(unsafe { libc::kill(up.id().cast_signed(), signal) }, 0);
        assert_eq!(up.wait().expect("it is our child").code(), Some(0), "{}", folder.log());
        in_order(
            &folder.log(),
            &[
                "web: SIGTERM: stopping",
                "web: worker 0 exited",
                "api: SIGTERM: stopping",
                "api: worker 0 exited",
                "db: SIGTERM: stopping",
                "db: worker 0 exited",
            ],
        );
    }
}

#[test]
fn the_apps_end_with_who_runs_them_in_the_foreground() {
    let Some(folder) = three() else { return };
    let mut up = folder.foreground();
    wait_until("all run", PATIENCE, || folder.log().contains("clustermon: all 3 apps run"));
    let supervisors = ["web", "api", "db"].map(|name| pid(&folder.inspect(name)["pid"]));
    up.kill().expect("it is our child");
    up.wait().expect("it is our child");
    for supervisor in supervisors {
        wait_until("it has stopped", PATIENCE, || !is_alive(supervisor));
    }
}

#[test]
fn nothing_is_started_if_anything_is_wrong() {
    if app("c-epoll").is_none() {
        return;
    }
    let program = c_program("epoll", &[]).display().to_string();
    let folder = Folder::new(&format!(
        "[app.web]\ncommand = [{program:?}]\n[app.api]\ncommand = [\"nowhere-at-all\"]\n"
    ));
    for words in ["up", "up -d", "up -d web"] {
        let told = folder.say(words);
        assert!(told.code == Some(2) && told.err.contains("clustermon.toml:4:11"), "{told:?}");
    }
    // To stop apps their programs need not be there.
    let told = folder.say("down").good();
    assert!(
        ["web", "api"].iter().all(|name| told.contains(&format!("clustermon {name}: does not run\n"))),
        "{told}"
    );
    let hidden = Folder::new(&format!("[app.web]\ncommand = [{program:?}]\ncontrol = \"none\"\n"));
    assert!(hidden.say("up -d").refusal(2).contains("nobody could find it"));
}

#[test]
fn each_worker_has_its_own_id_and_port_where_the_file_says_so() {
    // Nobody listens there: any port will do.
    let text = "[app.web]\nworkers = 2\nbase-port = 4100\nenv = { PORT = \"{port}\" }\n\
                command = [\"sh\", \"-c\", \"echo {id} {port} $PORT '{ id }' > seen{id}; exec sleep 1000\"]\n";
    let folder = Folder::new(text);
    // A worker that does not listen counts as running after a while: it is not waited for.
    let mut up = folder.foreground();
    let seen = |id: &str| fs::read_to_string(folder.path().join(format!("seen{id}"))).unwrap_or_default();
    wait_until("both have said what they found", PATIENCE, || {
        seen("0") == "0 4100 4100 { id }\n" && seen("1") == "1 4101 4101 { id }\n"
    });
    assert!(folder.say("describe web").good().contains("--base-port 4100"));
    // A worker that comes later has the next.
    folder.say("scale web=3 --no-wait").good();
    wait_until("the third has, too", PATIENCE, || seen("2") == "2 4102 4102 { id }\n");
    folder.say("down").good();
    wait_until("it has ended", PATIENCE, || up.try_wait().expect("it is ours").is_some());
    // What has no port to count from is refused, and so is more than there are.
    let odd = Folder::new("[app.web]\ncommand = [\"sleep\", \"{port}\"]\n");
    assert!(odd.say("up -d").err.contains("base-port"));
}
