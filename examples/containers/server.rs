//! Says which worker has answered. It needs libc and nothing else; SIGTERM ends it.

use std::env::var;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn answer(stream: &TcpStream) -> std::io::Result<()> {
    for line in BufReader::new(stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let body = format!("pid={} id={}\n", std::process::id(), var("PROCESS_LOGICAL_ID").unwrap_or_default());
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    (&mut &*stream).write_all((head + &body).as_bytes())
}

fn main() -> std::io::Result<()> {
    let host = var("HOST").unwrap_or_else(|_| "0.0.0.0".to_owned());
    let port = var("PORT").unwrap_or_else(|_| "8080".to_owned());
    for stream in TcpListener::bind(format!("{host}:{port}"))?.incoming() {
        // A client that has gone is no reason to stop serving the others.
        let _ = stream.and_then(|stream| answer(&stream));
    }
    Ok(())
}
