//! Other cluster managers under the same clients, reloading the same programs their own way. They are measured and not
//! judged.

use super::clients::mix::Mix;
use super::row::Row;
use super::subject::gunicorn_command;
use super::tools;
use super::traffic::Traffic;
use crate::clients::http::{Target, who};
use crate::programs::options::Options;
use crate::programs::places::app_dir;
use crate::started::native::Native;
use crate::system::ports::Port;
use crate::system::process::{Pid, is_alive, signal};
use crate::system::temp::TempDir;
use crate::system::wait::{PATIENCE, wait_for, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WORKERS: usize = 2;

/// PM2 with two workers of Node's http server, and its daemon; ended on drop.
#[derive(Debug)]
struct Pm2 {
    program: PathBuf,
    home: TempDir,
    port: Port,
}

impl Pm2 {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).env("PM2_HOME", self.home.path()).env("PORT", self.port.number().to_string());
        command.env("HOST", "127.0.0.1").env("PM2_DISABLE_VERSION_CHECK", "true");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// The command to its end.
    #[track_caller]
    fn run(&self, words: &[&str]) {
        let status = self.command(words).status().expect("it is installed");
        assert!(status.success(), "pm2 {words:?}: {status}");
    }
}

impl Drop for Pm2 {
    fn drop(&mut self) {
        let _ = self.command(&["kill"]).status();
    }
}

/// `pm2 reload`, so many times; `None` if PM2 cannot be had.
#[track_caller]
pub(super) fn pm2(mix: Mix, rounds: usize) -> Option<Row> {
    let program = tools::pm2()?;
    let pm2 = Pm2 { program, home: TempDir::new(), port: Port::free() };
    let script = app_dir().join("node/http.js");
    let script = script.to_str().expect("the checkout has a plain path");
    pm2.run(&["start", script, "-i", &WORKERS.to_string(), "--name", "web"]);
    let version = tools::version(pm2.command(&["--version"]).stdout(Stdio::piped()));
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, pm2.port.number()));
    wait_until("PM2's workers answer", PATIENCE, || who(&Target::Tcp(server)).is_ok());
    let mut row = Row::new(&format!("PM2 {version}, Node http"), "reloads");
    let reload = || pm2.run(&["reload", "web"]);
    measure(&mut row, server, mix, rounds, reload);
    Some(row)
}

/// SIGHUP to gunicorn alone, so many times; `None` if it cannot be had.
#[track_caller]
pub(super) fn gunicorn(mix: Mix, rounds: usize) -> Option<Row> {
    let python = tools::gunicorn()?;
    let version = tools::version(Command::new(&python).args(["-m", "gunicorn", "--version"]));
    let options = Options::default().env("WORKERS", WORKERS.to_string());
    let alone = Native::start_command(gunicorn_command(&python), &options);
    let Target::Tcp(server) = alone.target().clone() else { panic!("it was told a port") };
    let master = alone.pid();
    wait_until("its workers run", PATIENCE, || children(master).len() == WORKERS);
    let mut row = Row::new(&format!("gunicorn {version} alone"), "reloads");
    let reload = || {
        let old = children(master);
        signal(master, libc::SIGHUP);
        wait_for("the old workers are gone, and there are new ones", Duration::from_secs(60), || {
            let gone = !old.iter().any(|pid| is_alive(*pid));
            (gone && children(master).len() == WORKERS).then_some(())
        });
    };
    measure(&mut row, server, mix, rounds, reload);
    Some(row)
}

#[track_caller]
fn measure(row: &mut Row, server: SocketAddr, mix: Mix, rounds: usize, reload: impl Fn()) {
    let traffic = Traffic::start(server, mix);
    let start = traffic.begun;
    traffic.wait_begun();
    for _ in 0..rounds {
        if !traffic.wait_more(20, row) {
            break;
        }
        let begun = Instant::now();
        reload();
        row.times.push(begun.elapsed());
        row.done += 1;
    }
    traffic.wait_more(20, row);
    row.fill(traffic.finish(), start);
}

fn children(parent: Pid) -> BTreeSet<Pid> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|pid| pid.parse().ok()).filter(|pid| is_alive(*pid)).collect()
}
