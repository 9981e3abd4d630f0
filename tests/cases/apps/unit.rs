//! `clustermon unit`: what systemd says of the unit, what its lines do when a service manager runs them, and where it is installed.

use harness::{PATIENCE, Port, Said, TempDir, app, c_program, cli_command, require};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// `clustermon` with these words, in the folder, with units of its own.
fn say(folder: &Path, words: &[&str]) -> Said {
    let mut command = cli_command(folder, "");
    command.args(words).current_dir(folder).env("XDG_CONFIG_HOME", folder.join("config")).env_remove("PWD");
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// What follows `KEY=` in the lines of a unit.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let start = format!("{key}=");
    unit.lines().filter_map(|line| line.strip_prefix(start.as_str())).collect()
}

fn is_root() -> bool {
    // SAFETY: it asks the kernel for a number and touches no memory.
    unsafe { libc::geteuid() == 0 }
}

#[test]
fn systemd_takes_it() {
    if !require("systemd-analyze") {
        return;
    }
    let folder = TempDir::new();
    let shop = folder.path().join("my shop 100%");
    fs::create_dir(&shop).expect("the folder is ours");
    fs::set_permissions(&shop, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let text = "[app.db]\ncommand = \"true\"\n[app.web]\ncommand = \"true\"\nafter = \"db\"\nstop-timeout = \"1m\"\n";
    fs::write(shop.join("clustermon.toml"), text).expect("the folder is ours");
    let odd = ["run", "--name=odd", "--", "sh", "-c", "echo \"$HOME\" ${X} 100% a\\b; \t'é' \n", ";", ""];
    let odd_of = |before: &[&'static str]| [before, &odd].concat();
    for (name, words, manager) in [
        ("clustermon-file", vec!["unit", "my shop 100%"], "--system"),
        ("clustermon-own", vec!["unit", "--user", "my shop 100%/clustermon.toml"], "--user"),
        ("clustermon-odd", odd_of(&["unit"]), "--system"),
        ("clustermon-odder", odd_of(&["unit", "--user"]), "--user"),
    ] {
        let unit = say(folder.path(), &words).good();
        let file = folder.path().join(format!("{name}.service"));
        fs::write(&file, &unit).expect("the folder is ours");
        let mut verify = Command::new("systemd-analyze");
        verify.args([manager, "verify", "--man=no", "--recursive-errors=no"]).arg(&file);
        let output = verify.env("XDG_RUNTIME_DIR", folder.path()).output().expect("it is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        // It also speaks of what else is installed on this machine.
        let ours: Vec<_> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(output.status.success() && ours.is_empty(), "{said}\n{unit}");
    }
    let unit = say(&shop, &["unit"]).good();
    assert_eq!(values(&unit, "TimeoutStopSec"), ["92"], "25 s and 60 s, and some for each: {unit}");
    assert!(values(&unit, "WorkingDirectory")[0].ends_with("/my shop 100%%"), "{unit}");
}

#[test]
fn a_service_manager_runs_it() {
    if app("c-epoll").is_none() {
        return;
    }
    let folder = TempDir::new();
    let program = c_program("epoll", &[]).display().to_string();
    let port = || Port::free().number();
    let db = format!(
        "[defaults]\nworkers = 1\nenv.HOST = \"127.0.0.1\"\n[app.db]\ncommand = [{program:?}]\nenv.PORT = {}\n[app.web]\n",
        port()
    );
    let web = format!("command = [{program:?}]\nenv.PORT = {}\nafter = \"db\"\n", port());
    let path = folder.path().join("clustermon.toml");
    fs::write(&path, format!("{db}{web}")).expect("the folder is ours");
    let socket = UnixDatagram::bind(folder.path().join("notify")).expect("the folder is ours");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout is possible");
    let hear = |wanted: &str| {
        let mut buffer = [0; 1024];
        loop {
            let len = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let told = String::from_utf8_lossy(&buffer[..len]).into_owned();
            if told.lines().any(|line| line == wanted) {
                return;
            }
        }
    };
    let start = |unit: &str| {
        let line: Vec<_> = values(unit, "ExecStart")[0].split(' ').collect();
        let mut command = cli_command(folder.path(), &line[1..].join(" "));
        command
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .current_dir(values(unit, "WorkingDirectory")[0]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let end = |mut child: std::process::Child| {
        // SAFETY: it names a child of ours that nobody has waited for, and touches no memory.
        assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) }, 0);
        hear("STOPPING=1");
        child.wait().expect("it is our child").code()
    };
    let unit = say(folder.path(), &["unit"]).good();
    let up = start(&unit);
    hear("READY=1");
    hear("STATUS=all 2 apps run");
    let reloads = values(&unit, "ExecReload");
    assert_eq!(reloads.len(), 2, "{unit}");
    for (line, name) in reloads.into_iter().zip(["db", "web"]) {
        let words: Vec<_> = line.split(' ').skip(1).collect();
        assert!(say(folder.path(), &words).good().starts_with(&format!("clustermon {name}: reloaded: ")));
    }
    assert_eq!(end(up), Some(0));

    // One that fails does not hold up what is told of the others.
    let broken = "command = [\"sh\", \"-c\", \"exit 3\"]\nrespawn = 0\n";
    fs::write(&path, format!("{db}{broken}")).expect("the folder is ours");
    let up = start(&unit);
    hear("READY=1");
    hear("STATUS=1 of 2 apps run");
    assert_eq!(end(up), Some(1));

    // The same for one cluster.
    let port = port().to_string();
    let words = ["unit", "run", "-n", "1", "--", "env", "HOST=127.0.0.1", &format!("PORT={port}"), &program];
    let unit = say(folder.path(), &words).good();
    let run = start(&unit);
    hear("READY=1");
    let reload = values(&unit, "ExecReload")[0];
    let words: Vec<_> = reload.split(' ').skip(1).collect();
    assert!(say(folder.path(), &words).good().contains(": reloaded: "), "{reload}");
    assert_eq!(end(run), Some(0));
}

#[test]
fn it_is_installed_and_nothing_of_others_is_touched() {
    let folder = TempDir::new();
    let path = folder.path().join("shop.toml");
    fs::write(&path, "[app.web]\ncommand = \"true\"\n").expect("the folder is ours");
    let install = || say(folder.path(), &["unit", "--user", "--install", "shop.toml"]);
    let units = folder.path().join("config/systemd/user");
    let unit = units.join("clustermon-shop.service");
    let told = install().good();
    assert!(told.starts_with(&format!("clustermon: wrote {}\n", unit.display())), "{told}");
    assert!(told.contains("systemctl --user enable --now clustermon-shop\n"), "{told}");
    let text = fs::read_to_string(&unit).expect("it was written");
    assert_eq!(text, say(folder.path(), &["unit", "--user", "shop.toml"]).good());
    assert!(install().good().contains("says the same already"));
    fs::write(&unit, "[Service]\nExecStart=/bin/true\n").expect("the folder is ours");
    assert!(install().refusal(2).ends_with("is left as it is: it was not written by clustermon"));
    assert_eq!(fs::read_dir(&units).expect("it was made").count(), 1);
    if !is_root() {
        let told = say(folder.path(), &["unit", "--install", "shop.toml"]);
        assert!(told.refusal(1).contains("only root"), "{told:?}");
        return;
    }
    // A service of the system runs as whom the file belongs to; nobody else's file is for a service of one's own.
    chown(&path, Some(65_534), None).expect("we are root");
    let unit = say(folder.path(), &["unit", "shop.toml"]).good();
    assert_eq!(values(&unit, "RuntimeDirectory"), ["clustermon-65534"], "{unit}");
    assert_eq!(values(&unit, "User").len(), 1, "{unit}");
    assert!(
        say(folder.path(), &["unit", "--user", "shop.toml"]).refusal(2).contains("it belongs to user 65534")
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("we are root");
    assert!(say(folder.path(), &["unit", "shop.toml"]).refusal(2).contains("others may write to it"));
}

#[test]
fn what_is_no_service_is_refused() {
    let folder = TempDir::new();
    for (words, why) in [
        (&["unit", "run", "-d", "true"][..], "a service stays in the foreground"),
        (&["unit", "run"], "no command given"),
        (&["unit", "run", "--wrokers", "2", "true"], "--wrokers"),
        (&["unit", "a.toml", "run", "true"], "not both"),
        (&["unit"], "there is no such file"),
    ] {
        let told = say(folder.path(), words);
        assert!(told.refusal(2).contains(why), "{words:?}: {told:?}");
    }
}
