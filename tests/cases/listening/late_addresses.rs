//! A program that opens one of its addresses seconds after the first: a reload does not take it for complete before.

use harness::{Cluster, Load, Options, PATIENCE, Port, Target, interpreter, require, wait_until, who};

/// Opens the second address three seconds after the first, and answers there.
const LATE: &str = r#"
import os, socket, time
first = socket.create_server(("127.0.0.1", int(os.environ["FIRST"])))
time.sleep(3)
second = socket.create_server(("127.0.0.1", int(os.environ["SECOND"])))
body = "pid=%d id=%s\n" % (os.getpid(), os.environ["PROCESS_LOGICAL_ID"])
while True:
    connection, _ = second.accept()
    connection.recv(4096)
    head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall((head + body).encode())
    connection.close()
"#;

#[test]
fn the_old_process_serves_it_until_the_new_one_does() {
    if !require("python3") {
        return;
    }
    let [first, second] = [Port::free(), Port::free()];
    // Well below what the program takes: it is its own boot that tells for how long to wait.
    let flags = "--name late --listen-settle 100ms --min-healthy-time 50ms";
    let options = Options::workers(2)
        .flags(flags)
        .env("FIRST", first.number().to_string())
        .env("SECOND", second.number().to_string());
    let cluster = Cluster::start_command(&[interpreter("python3"), "-c".into(), LATE.into()], options);
    let address = format!("127.0.0.1:{}", second.number());
    cluster.log().wait_for_count(&format!("listens on {address}"), 2, PATIENCE);
    let target = Target::parse(&address).expect("an address");
    let before = cluster.started();
    let load = Load::start(&target, 2, "/");
    assert_eq!(cluster.order("reload"), "clustermon late: reloaded: 2 workers have a new process\n");
    load.finish_unharmed();
    assert_eq!(cluster.log().count(&format!("{address} is closed")), 0);
    wait_until("the new ones answer", PATIENCE, || {
        who(&target).is_ok_and(|who| !before.values().any(|old| *old == who.pid))
    });
    cluster.stop();
}
