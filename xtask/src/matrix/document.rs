//! docs/compatibility.md, made from what the tests found. It judges nothing: every cell is a test's own word.

use super::table::Row;
use crate::Result;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Column of the report, and its heading.
const COLUMNS: [(&str, &str); 7] = [
    ("version", "Version"),
    ("serves", "All workers serve"),
    ("keep-alive", "Keep-alive"),
    ("rotation", "Rotation"),
    ("restart", "Restart"),
    ("reload", "Reload: requests that failed"),
    ("lag", "Lag visible"),
];

const HOW_TO_READ: &str = "\
Each program runs unchanged as two workers, by the command line in `tests/harness/matrix/table.rs`. What it serves is in
`tests/apps/`. Every cell was tested in that run, by `tests/harness/matrix/probes.rs`:

- *All workers serve*: both workers answer. If several processes of a worker accept, each of them answers.
- *Keep-alive*: a connection stays with its process from request to request. Some programs close it after each response,
  without clustermon too.
- *Rotation*: of 25 connections made one after the other, one worker gets 13 and the other 12. If several processes of a
  worker accept, each has its turn in what its worker gets. *At random*: the listeners are of MPTCP, among which
  the kernel takes any.
- *Restart*: `clustermon restart --wait` puts a new process into each slot, and both serve.
- *Reload*: how many requests failed during `clustermon reload --wait`, and of how many, with clients that make a connection
  for each request. For a program that can reload by itself, the same for its own reload.
- *Lag visible*: `clustermon inspect` shows for how long a worker has not waited for new work: no time for an idle worker,
  and the time for a program of one thread that is kept busy.
";

const PORTS: &str = "\
## Ports besides the service

All listeners of a program are shared, also those by which a client wants to reach one certain process. Listeners that a
program opens as it starts, or with a fixed port, are shared unless an option says otherwise. A port that the system chooses
(port 0) after the worker has begun to serve belongs to that worker, so passive FTP, RTSP and similar protocols work without
an option if they use such ports. Tests: `tests/cases/listening/later_ports.rs`, `tests/cases/listening/private.rs`.

| what | what happens without an option | option |
|---|---|---|
| FTP and others with a range of data ports (`pasv_min_port`, `passive_ports`) | a client's data connection may reach another worker's session | `--private '*:40000-40100'`, the range that the server is given |
| Java, remote JMX (`com.sun.management.jmxremote.port`) | a console reaches any of the workers, and its RMI connection may reach another one | `--private '*:0'` with `-Dcom.sun.management.jmxremote.port=0`: each process has a port of its own, which `jcmd PID ManagementAgent.status` shows. Only one process can have a fixed port |
| Java RMI, objects exported as the program starts | calls reach any of the workers | `--private '*:0'` |
| Erlang and Elixir distribution | nodes reach any of the workers | `--private '*:0'`, or `--private '*:9100-9155'` for `inet_dist_listen_min` and `_max`; each worker needs a node name of its own, such as `app$PROCESS_LOGICAL_ID` |
| gunicorn's control socket (version 25 and later) | `gunicornc` reaches any of the workers, a different one each time | `--no-control-socket` of gunicorn, or in its configuration a `control_socket` with `os.environ[\"PROCESS_LOGICAL_ID\"]` in its name |
| ports of debuggers (9229, 5678, 5005) | they are private: the first worker gets the port; the others fail to start, or go on without it | give each worker a port of its own |
";

const SETTINGS: &str = "\
## What needs an option or a setting

| what | what happens without it | what to do |
|---|---|---|
| Puma with its systemd support, and others that send READY=1 | workers have no `NOTIFY_SOCKET`: a worker is ready when it listens | `--ready notify`: a worker is ready when the program says so. Puma 5 needs the gem `sd_notify` for this, and complains without it |
| programs that remove all variables from the environment of their processes except those on a list (Dovecot's `import_environment`, `env_keep` of sudo) | they serve outside the cluster; the log and `status` say so | put `LD_PRELOAD`, `CLUSTERMON_SOCKET`, `CLUSTERMON_TOKEN` and `CLUSTERMON_SUPERVISOR` on the list: without any of them a process is outside. Add `CLUSTERMON_RULES`, `CLUSTERMON_BACKLOG`, `CLUSTERMON_ON_SUPERVISOR_DEATH` and `PROCESS_LOGICAL_ID`, which carry the options |
| programs that store descriptors with the service manager (`FDSTORE=1`) | nothing is stored: the message with the descriptor fails with EPERM (Linux 6.16 and later), or the descriptor is closed | nothing for listeners, which stay open in the cluster from one process to the next; other descriptors have to be kept elsewhere |
";

const WITHOUT: &str = "\
## What cannot be a worker

Programs that are to gain rights by being executed do not load the library, and with a seccomp filter they would not gain them. So they are
refused before anything is started, with a message that says why (tests: `tests/cases/starts/bad_input.rs`):

| what | cause | what you are told |
|---|---|---|
";

/// The whole document.
pub(super) fn write(rows: &[&Row], report: &Path) -> Result<String> {
    let (date, commit) =
        (said("date", &["-u", "+%Y-%m-%d"])?, said("git", &["rev-parse", "--short", "HEAD"])?);
    let system = said("uname", &["-srm"])?;
    let mut text = String::from("# Compatibility\n\n");
    write!(
        text,
        "Written by `cargo xtask matrix` on {date} at commit {commit}, {system}: {} programs.\n\n",
        rows.len()
    )?;
    text.push_str(HOW_TO_READ);
    let headings = COLUMNS.map(|(_, heading)| heading).join(" | ");
    write!(text, "\n| Program | {headings} |\n|{}\n", "---|".repeat(COLUMNS.len() + 1))?;
    for row in rows.iter().filter(|row| row.refused.is_none()) {
        let found = found(row, report)?;
        let cell = |(column, _): (&str, _)| found.get(column).map_or("", String::as_str).to_owned();
        writeln!(text, "| {} | {} |", row.title, COLUMNS.map(cell).join(" | "))?;
    }
    write!(text, "\n{PORTS}\n{SETTINGS}\n{WITHOUT}")?;
    for row in rows {
        let Some(refused) = &row.refused else { continue };
        let told = found(row, report)?.remove("told").unwrap_or_default();
        writeln!(text, "| {} | {} | {told} |", row.title, refused.cause)?;
    }
    Ok(text)
}

/// What the test of the row wrote, by column.
fn found(row: &Row, report: &Path) -> Result<HashMap<String, String>> {
    let path = report.join(row.name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    Ok(lines.map(|(column, what)| (column.to_owned(), what.to_owned())).collect())
}

fn said(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program).args(args).current_dir(crate::project::root()).output()?;
    if !output.status.success() {
        return Err(format!("{program} {} failed", args.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
