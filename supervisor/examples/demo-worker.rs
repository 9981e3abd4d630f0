//! An ordinary HTTP server, a thread for each connection, for `cargo xtask run` without a command. It knows nothing of
//! clustermon: started by itself it serves just as well, and says so by a missing worker number.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A client may take this long to send its next request, or to take an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest head of a request, in bytes.
const MOST_HEAD: u64 = 16 * 1024;

static SERVED: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    let listener = match listen(&port) {
        Ok(listener) => listener,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "demo-worker: cannot listen on 127.0.0.1:{port}: {error}");
            return ExitCode::FAILURE;
        }
    };
    for stream in listener.incoming() {
        // Neither a client that has gone nor a lack of threads is a reason to stop serving the others.
        let Ok(stream) = stream else { continue };
        let _ = std::thread::Builder::new().spawn(move || serve(&stream));
    }
    ExitCode::SUCCESS
}

fn listen(port: &str) -> Result<TcpListener, Error> {
    let port: u16 =
        port.parse().map_err(|_| Error::new(ErrorKind::InvalidInput, "PORT is to be 0 to 65535"))?;
    TcpListener::bind(("127.0.0.1", port))
}

/// Answers until the client closes, asks to close, or fails.
fn serve(stream: &TcpStream) -> Result<(), Error> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    while let Some(request) = Request::read(&mut reader)? {
        let body = body(SERVED.fetch_add(1, Ordering::Relaxed) + 1);
        let connection = if request.keep_alive { "keep-alive" } else { "close" };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n");
        let answer =
            format!("{head}Connection: {connection}\r\n\r\n{}", if request.is_head { "" } else { &body });
        writer.write_all(answer.as_bytes())?;
        if !request.keep_alive {
            break;
        }
    }
    Ok(())
}

fn body(served: u64) -> String {
    let worker =
        std::env::var("PROCESS_LOGICAL_ID").map_or("a lone worker".to_owned(), |id| format!("worker {id}"));
    let requests = if served == 1 { "request" } else { "requests" };
    format!("Hello from {worker}, process {}: {served} {requests} served.\n", std::process::id())
}

/// What matters here of a request.
struct Request {
    keep_alive: bool,
    is_head: bool,
}

impl Request {
    /// Reads one, body and all; `None` if the client closed instead.
    fn read(reader: &mut impl BufRead) -> Result<Option<Self>, Error> {
        let mut head = reader.by_ref().take(MOST_HEAD);
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut request =
            Self { keep_alive: line.trim_end().ends_with("HTTP/1.1"), is_head: line.starts_with("HEAD ") };
        let mut length: u64 = 0;
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            let value = value.trim();
            if name.eq_ignore_ascii_case("connection") {
                let is = |word| value.eq_ignore_ascii_case(word);
                request.keep_alive = is("keep-alive") || (request.keep_alive && !is("close"));
            } else if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().map_err(|_| Error::from(ErrorKind::InvalidData))?;
            }
        }
        std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
        Ok(Some(request))
    }
}
