//! Several clusters and workers in one command: each does it, each has its line, and one that fails or hangs holds up nobody.

use harness::{PATIENCE, Port, TempDir, app, c_program, cli, cli_command, pause, resume, wait_until};
use serde_json::Value;
use std::process::Stdio;

/// Clusters in the background, which are ended at the end of the test.
struct Several(TempDir);

impl Several {
    /// One for each name, of as many workers.
    fn start(names: &[&str], workers: usize) -> Option<Self> {
        app("c-epoll")?;
        let several = Self(TempDir::new());
        let program = c_program("epoll", &[]).display().to_string();
        for name in names {
            let port = Port::free();
            let words = format!("run -d -n {workers} --name {name} -- {program}");
            let mut command = cli_command(several.0.path(), &words);
            command.env("HOST", "127.0.0.1").env("PORT", port.number().to_string()).stdout(Stdio::null());
            assert!(command.status().expect("it starts").success());
        }
        Some(several)
    }

    fn say(&self, words: &str) -> harness::Said {
        cli(self.0.path(), words)
    }

    /// The lines that a command prints which must succeed, in any order.
    #[track_caller]
    fn lines(&self, words: &str) -> Vec<String> {
        let mut lines: Vec<_> = self.say(words).good().lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    fn inspect(&self, words: &str) -> Value {
        serde_json::from_str(&self.say(&format!("inspect {words}")).good()).expect("JSON")
    }

    fn supervisor(&self, name: &str) -> u32 {
        self.inspect(name)["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a process")
    }
}

impl Drop for Several {
    fn drop(&mut self) {
        self.say("force-stop all");
        self.say("stop all");
    }
}

#[test]
fn each_is_told_and_says_what_it_did() {
    let Some(several) = Several::start(&["api", "web"], 2) else { return };
    assert_eq!(
        several.lines("restart web/0 api"),
        ["clustermon api: 2 workers restarted", "clustermon web: worker 0 restarted"]
    );
    assert_eq!(
        several.lines("cordon all/1"),
        ["clustermon api/1: out of rotation", "clustermon web/1: out of rotation"]
    );
    assert_eq!(several.lines("uncordon web/1"), ["clustermon web/1: in rotation again"]);
    assert_eq!(several.lines("signal USR2 api/1 api/1"), ["clustermon api/1: SIGUSR2 sent"]);
    assert_eq!(
        several.lines("scale web api 1"),
        ["clustermon api: 1 worker runs", "clustermon web: 1 worker runs"]
    );
    assert_eq!(
        several.lines("scale web=2 all=2"),
        ["clustermon api: 2 workers run", "clustermon web: 2 workers run"]
    );
    let reloaded = several.lines("reload all");
    assert!(reloaded.len() == 2 && reloaded[0].starts_with("clustermon api: reloaded"), "{reloaded:?}");
    // Whom nobody named is asked for where there are several.
    assert!(
        several
            .say("reload")
            .refusal(3)
            .contains("which cluster? there are api, web; `all` means all of them")
    );
    // What one of them cannot do keeps no other from it.
    let said = several.say("restart api/7 web/0 nobody/1");
    assert_eq!((said.code, said.out.as_str()), (Some(3), "clustermon web: worker 0 restarted\n"), "{said:?}");
    let mut told: Vec<&str> = said.err.lines().collect();
    told.sort_unstable();
    assert_eq!(told.len(), 2, "{said:?}");
    assert!(told[0].starts_with("clustermon: api/7: no worker 7; there are 0, 1"), "{said:?}");
    assert!(told[1].starts_with("clustermon: nobody/1: no cluster \"nobody\""), "{said:?}");
    assert_eq!(several.lines("stop web api"), ["clustermon api: stopped", "clustermon web: stopped"]);
    assert!(several.say("stop all").refusal(3).contains("no cluster of this user is running"));
}

#[test]
fn several_are_shown_at_once() {
    let Some(several) = Several::start(&["api", "web"], 2) else { return };
    let all = several.say("status").good();
    for part in ["\napi/0  running", "\nweb/1  running", "CLUSTER  ADDRESS", "\nweb      127.0.0.1:"] {
        assert!(all.contains(part), "{part:?} is not in {all}");
    }
    let some = several.say("status web/1 api").good();
    assert!(some.contains("\nweb/1  running") && !some.contains("web/0") && some.contains("api/1"), "{some}");
    assert_eq!(several.say("status -q all").code, Some(0));
    let values = several.inspect("all");
    let names: Vec<_> = values.as_array().expect("several").iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["api", "web"]);
    let logs = several.say("logs web api").good();
    assert!(logs.starts_with("==> web <==\n") && logs.contains("\n==> api <==\n"), "{logs}");
    let said = several.say("status web nobody");
    assert!(said.code == Some(3) && said.out.contains("\nweb/0   running"), "{said:?}");
    assert!(
        said.out.contains("\nnobody  unknown  ") && said.out.contains("no cluster \"nobody\""),
        "{said:?}"
    );
}

#[test]
fn one_that_is_stopped_holds_up_nobody() {
    let Some(several) = Several::start(&["api", "web"], 1) else { return };
    let supervisor = several.supervisor("api");
    pause(supervisor);
    let list = several.say("list").good();
    let told = format!("the supervisor, process {supervisor}, has not answered within ");
    assert!(list.contains("\napi   unknown") && list.contains("\nweb   running"), "{list}");
    assert!(list.contains(&told) && list.contains("it is stopped; `kill -CONT "), "{list}");
    let status = several.say("status");
    assert!(status.code == Some(1) && status.out.contains("web/0  running"), "{status:?}");
    assert!(several.say("status api").refusal(1).contains(&told));
    resume(supervisor);
    wait_until("it answers again", PATIENCE, || several.say("status api").code == Some(0));
}
