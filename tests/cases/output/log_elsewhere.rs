//! Lines that go to the journal of systemd or to syslog instead of to the streams: what arrives at a socket that stands in for theirs.

use harness::{Cluster, Options, TempDir, cli_command};
use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// Long for a datagram on one machine.
const WAIT: Duration = Duration::from_secs(20);

/// Runs a shell script as the only worker, once, to its end.
fn run(script: &str, to: &str) -> Cluster {
    let flags = format!("--name web --respawn 0 --log-to {to}");
    let options = Options::workers(1).flags(&flags).at_once();
    Cluster::start_command(&["sh", "-c", script], options)
}

/// Datagrams until one has this in it; that one.
#[track_caller]
fn wait_for(part: &str, mut receive: impl FnMut(&mut [u8]) -> std::io::Result<usize>) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 18];
    loop {
        let len = receive(&mut buffer).unwrap_or_else(|error| panic!("{part} does not come: {error}"));
        let datagram = &buffer[..len];
        if String::from_utf8_lossy(datagram).contains(part) {
            return datagram.to_vec();
        }
    }
}

#[test]
fn the_journal_gets_fields() {
    let folder = TempDir::new();
    let path = folder.path().join("journal");
    let journal = UnixDatagram::bind(&path).expect("nothing is there");
    journal.set_read_timeout(Some(WAIT)).expect("it can be set");
    let script = r"echo one; echo '<3>bad' >&2; printf 'a\000b\n'; exit 3";
    let mut cluster = run(script, &format!("journald:{}", path.display()));
    let mut all = Vec::new();
    let last = wait_for("exited: code 3", |buffer| {
        let len = journal.recv(buffer)?;
        all.push(buffer[..len].to_vec());
        Ok(len)
    });
    cluster.wait_exit();
    let find = |part: &[u8]| {
        let found = all.iter().find(|record| record.windows(part.len()).any(|window| window == part));
        found.unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&all.concat())))
    };
    let common = "SYSLOG_IDENTIFIER=web\nSYSLOG_FACILITY=3\nSYSLOG_PID=";
    let one = String::from_utf8_lossy(find(b"\nMESSAGE=one\n"));
    assert!(one.starts_with(&format!("PRIORITY=6\n{common}")), "{one}");
    assert!(one.contains("\nCLUSTERMON_APP=web\nCLUSTERMON_WORKER=0\nCLUSTERMON_STREAM=stdout\n"), "{one}");
    let bad = String::from_utf8_lossy(find(b"\nMESSAGE=bad\n"));
    assert!(bad.starts_with("PRIORITY=3\n") && bad.contains("\nCLUSTERMON_STREAM=stderr\n"), "{bad}");
    find(b"\nMESSAGE\n\x03\0\0\0\0\0\0\0a\0b\n");
    let last = String::from_utf8_lossy(&last);
    assert!(last.contains("\nCLUSTERMON_STREAM=log\n") && !last.contains("CLUSTERMON_WORKER"), "{last}");
    assert!(cluster.stdout().text().is_empty() && cluster.log().text().is_empty(), "nothing else has it");
}

#[test]
fn syslog_of_the_machine_and_of_the_network() {
    let folder = TempDir::new();
    let path = folder.path().join("log");
    let local = UnixDatagram::bind(&path).expect("nothing is there");
    local.set_read_timeout(Some(WAIT)).expect("it can be set");
    let mut cluster = run("echo 'hello there'", &format!("syslog:{}", path.display()));
    let line = String::from_utf8_lossy(&wait_for("hello there", |buffer| local.recv(buffer))).into_owned();
    assert!(
        line.starts_with("<30>") && line.contains(" web/0[") && line.ends_with("]: hello there"),
        "{line}"
    );
    cluster.wait_exit();

    let network = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    network.set_read_timeout(Some(WAIT)).expect("it can be set");
    let address = network.local_addr().expect("it has one");
    let mut cluster = run("echo 'hello there'", &format!("syslog:udp:{address}"));
    let line = String::from_utf8_lossy(&wait_for("hello there", |buffer| network.recv(buffer))).into_owned();
    let words: Vec<_> = line.split(' ').collect();
    assert!(words[0] == "<30>1" && words[3] == "web/0" && words[5..7] == ["stdout", "-"], "{line}");
    cluster.wait_exit();
}

#[test]
fn where_nobody_takes_lines_the_start_says_so() {
    let folder = TempDir::new();
    for words in ["run -d", "run"] {
        let to = folder.path().join("missing");
        let mut start = cli_command(folder.path(), &format!("{words} --log-to journald:{}", to.display()));
        let output = start.args(["--", "true"]).output().expect("it starts");
        let told = String::from_utf8_lossy(&output.stderr);
        let expected = "clustermon: --log-to: nobody takes the log there: No such file or directory";
        assert!(output.status.code() == Some(2) && told.starts_with(expected), "{told}");
    }
}
