//! examples/hooks/webhook.sh, against a small server: what it is given is posted, and an answer that is none is a failure.

use super::on;
use harness::{Cluster, Options, app, app_dir, require};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

/// Takes one request, answers with this status, and returns the body.
fn serve(listener: &TcpListener, status: &str) -> String {
    let (mut client, _) = listener.accept().expect("a client comes");
    let mut reader = BufReader::new(client.try_clone().expect("descriptors are left"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a request");
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a number");
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body");
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    client.write_all(answer.as_bytes()).expect("it waits for the answer");
    String::from_utf8(body).expect("it is text")
}

#[test]
fn the_webhook_posts_what_it_is_given() {
    let Some(app) = app("c-epoll") else { return };
    if !require("curl") {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/hook", listener.local_addr().expect("it has one"));
    let script = app_dir().join("../../examples/hooks/webhook.sh").display().to_string();
    let options = Options::workers(1).flags("--name web -v").env("WEBHOOK_URL", url);
    let cluster = Cluster::start(&app, on(options, "worker_ready", &script));
    let told: serde_json::Value = serde_json::from_str(&serve(&listener, "204 No Content")).expect("JSON");
    assert_eq!(
        (&told["cluster"], &told["hook"], &told["id"]),
        (&"web".into(), &"worker_ready".into(), &"0".into())
    );
    assert_eq!(told["pid"], cluster.started()["0"]);
    cluster.log().wait_for("has ended well after ");
    cluster.order("restart /0 --wait");
    serve(&listener, "404 Not Found");
    cluster.log().wait_for("webhook.sh exited with code 22");
    cluster.stop();
}
