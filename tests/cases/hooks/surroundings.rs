//! What a hook is started with: the directory and the variables of the app, nothing of the library, three descriptors, and signals as they are
//! at first.

use super::{Scripts, on};
use harness::{Cluster, Options, PATIENCE, app, require};
use std::fs;

#[test]
fn it_has_what_the_app_has_and_nothing_of_workers() {
    let Some(app) = app("c-epoll") else { return };
    if !require("python3") {
        return;
    }
    let scripts = Scripts::new();
    let folder = scripts.at("home");
    fs::create_dir(&folder).expect("the folder is ours");
    let file = scripts.at("variables.env");
    fs::write(&file, "T_OF_FILE=yes\nT_SET=of the file\n").expect("the folder is ours");
    let look = scripts.at("look.py");
    // The descriptor of the listing itself is one that it has opened.
    let text = "import json, os, signal, sys\n\
        fds = [fd for fd in os.listdir('/proc/self/fd') if os.path.exists('/proc/self/fd/' + fd)]\n\
        ignored = [str(s) for s in signal.valid_signals() if signal.getsignal(s) == signal.SIG_IGN]\n\
        blocked = [str(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])]\n\
        status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n\
        told = json.load(sys.stdin)\n\
        found = dict(env=dict(os.environ), fds=fds, cwd=os.getcwd(), blocked=blocked, ignored=status['SigIgn'].strip(),\n\
            group=os.getpgrp() == os.getpid(), told=told, rest=sys.stdin.read(), umask=os.umask(0))\n\
        open(sys.argv[1], 'w').write(json.dumps(found) + '\\n')\n";
    fs::write(&look, text).expect("the folder is ours");
    let command = format!("python3 {} {}", look.display(), scripts.at("found").display());
    let flags = format!("--name web --umask 027 --cwd {} --env-file {}", folder.display(), file.display());
    let options = Options::workers(1).flags(&flags).env("T_SET", "of the shell").env("LISTEN_FDS", "0");
    // A shell between ignores signals for all that it starts, and leaves a descriptor open.
    let below = ["sh", "-c", "trap '' HUP USR1 PIPE; exec 9</dev/null; exec \"$@\"", "sh"];
    let cluster = Cluster::start(&app, on(options.below(&below), "start", &command));
    let found = scripts.wait_for("found", PATIENCE, |_| true);
    let env = &found["env"];
    for name in [
        "LD_PRELOAD",
        "CLUSTERMON_SOCKET",
        "CLUSTERMON_SUPERVISOR",
        "CLUSTERMON_TOKEN",
        "CLUSTERMON_RULES",
        "PROCESS_LOGICAL_ID",
        "LISTEN_FDS",
        "NOTIFY_SOCKET",
    ] {
        assert!(env[name].is_null(), "{name}: {env}");
    }
    assert_eq!((&env["T_OF_FILE"], &env["T_SET"]), (&"yes".into(), &"of the shell".into()));
    assert_eq!((&env["CLUSTERMON_EVENT"], &env["CLUSTERMON_NAME"]), (&"start".into(), &"web".into()));
    let home = fs::canonicalize(&folder).expect("it is there").display().to_string();
    assert_eq!((&found["cwd"], &env["PWD"]), (&home.as_str().into(), &home.as_str().into()));
    let fds: Vec<_> = found["fds"].as_array().expect("a list").iter().filter_map(|fd| fd.as_str()).collect();
    let mut sorted = fds.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["0", "1", "2"]);
    assert_eq!(found["blocked"], serde_json::json!([]));
    // Python ignores two by itself: SIGPIPE (13) and SIGXFSZ (25).
    assert_eq!(found["ignored"], "0000000001001000");
    assert_eq!((&found["group"], &found["umask"]), (&true.into(), &0o027.into()));
    assert_eq!((&found["told"]["hook"], &found["rest"]), (&"start".into(), &"".into()));
    cluster.stop();
}

#[test]
fn an_app_of_the_file_has_hooks_and_variables() {
    let Some(_) = app("c-epoll") else { return };
    let scripts = Scripts::new();
    let print = scripts.command("print.sh", "echo \"$COLOUR $CLUSTERMON_EVENT\" >> \"$1/said\"\n");
    let program = harness::c_program("epoll", &[]).display().to_string();
    let port = harness::Port::free();
    let text = format!(
        "[app.web]\ncommand = [{program:?}]\nworkers = 1\nbefore-start = {print:?}\nhook-timeout = \"10s\"\n\
         on = [\"start={print}\", \"stop={print}\"]\nenv.COLOUR = \"red\"\nenv.HOST = \"127.0.0.1\"\nenv.PORT = {}\n",
        port.number()
    );
    let file = scripts.at("clustermon.toml");
    fs::write(&file, text).expect("the folder is ours");
    let say = |words: &str| harness::cli(&scripts.at("."), &format!("{words} {}", file.display()));
    say("check").good();
    let up = say("up -d");
    assert_eq!(up.code, Some(0), "{up:?}");
    let down = say("down");
    assert_eq!(down.code, Some(0), "{down:?}");
    assert_eq!(scripts.text("said"), "red before_start\nred start\nred stop\n");
}
