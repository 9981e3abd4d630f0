//! The requests every program here answers, and where to listen. No socket is touched here.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program of its own, which computes for a time and says so"
)]

use std::time::{Duration, Instant};

/// What to do with a parsed request.
#[derive(Debug)]
pub enum Action {
    /// Send these bytes.
    Send(Vec<u8>),
    /// Send these bytes, later.
    SendAfter(Duration, Vec<u8>),
    /// Leave at once with this code.
    Exit(i32),
}

/// One request, cut off the input.
#[derive(Debug)]
pub struct Request {
    target: String,
    body: Vec<u8>,
    /// The client asked for the connection to be closed after the answer.
    pub close: bool,
}

/// Where the environment says to listen.
#[derive(Debug, Clone)]
pub enum Address {
    /// `host:port`, ready for `bind`.
    Tcp(String),
    /// A path, or `@name` for an abstract name.
    Unix(String),
}

impl Address {
    /// Reads `UNIX_PATH`, or `HOST` and `PORT`.
    pub fn from_env() -> Self {
        if let Ok(path) = std::env::var("UNIX_PATH") {
            return Self::Unix(path);
        }
        let host = std::env::var("HOST").unwrap_or_else(|_| "127.0.0.1".to_owned());
        let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
        Self::Tcp(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
    }
}

impl Request {
    /// Of `GET /stream?ms=N&pieces=K`: the time before each byte of the body, and how many bytes.
    pub fn stream(&self) -> Option<(Duration, u32)> {
        let (ms, pieces) = self.target.strip_prefix("GET /stream?ms=")?.split_once("&pieces=")?;
        let (ms, pieces) = (ms.parse().ok()?, pieces.parse().ok()?);
        Some((Duration::from_millis(ms).checked_div(pieces)?, pieces))
    }
}

/// Takes the first complete request off the input, or leaves it alone.
pub fn take_request(input: &mut Vec<u8>) -> Option<Request> {
    let end = input.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&input[..end]).into_owned();
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line[name.len()..].trim().to_ascii_lowercase())
    };
    let length = field("content-length:").and_then(|value| value.parse().ok()).unwrap_or(0);
    let total = end + 4 + length;
    if input.len() < total {
        return None;
    }
    let rest = input.split_off(total);
    let body = std::mem::replace(input, rest).split_off(end + 4);
    let mut words = head.split(' ');
    let target = format!("{} {}", words.next().unwrap_or(""), words.next().unwrap_or(""));
    Some(Request { target, body, close: field("connection:").as_deref() == Some("close") })
}

/// Keeps a processor busy, and says that it begins to.
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "the contract asks for a busy page")]
fn spin(time: Duration) {
    println!("spinning");
    let start = Instant::now();
    while start.elapsed() < time {}
}

/// The answer; `address` is what getsockname says of the listener.
pub fn answer(request: Request, address: &str) -> Action {
    let number = |prefix: &str| request.target.strip_prefix(prefix).and_then(|rest| rest.parse::<u32>().ok());
    if let Some(ms) = number("GET /slow?ms=") {
        return Action::SendAfter(Duration::from_millis(ms.into()), response(200, who().as_bytes()));
    }
    if let Some(ms) = number("GET /spin?ms=") {
        spin(Duration::from_millis(ms.into()));
        return Action::Send(response(200, who().as_bytes()));
    }
    if let Some(code) = number("GET /exit?code=") {
        return Action::Exit(code as i32);
    }
    Action::Send(match request.target.as_str() {
        "GET /" => response(200, who().as_bytes()),
        "POST /echo" => response(200, &request.body),
        "GET /port" => response(200, format!("{address}\n").as_bytes()),
        _ => response(404, b"no such page\n"),
    })
}

fn who() -> String {
    format!("pid={} id={}\n", std::process::id(), std::env::var("PROCESS_LOGICAL_ID").unwrap_or_default())
}

fn response(status: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// How a unix listener's name reads: the path, or `@name`.
pub fn unix_name(path: Option<&std::path::Path>, abstract_name: Option<&[u8]>) -> String {
    match (path, abstract_name) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(name)) => format!("@{}", String::from_utf8_lossy(name)),
        (None, None) => "none".to_owned(),
    }
}
