//! The contract of the test programs, checked the same way alone and in a cluster.

use crate::clients::http::{Conn, Target};
use crate::programs::apps::App;

/// Everything but /exit and the listener requests, on kept connections and on closed ones.
#[track_caller]
pub fn check_contract(target: &Target, app: &App) {
    let mut conn = open(target, app);
    let first = conn.who().expect("an answer");
    for _ in 0..3 {
        assert_eq!(conn.who().expect("the connection is kept"), first, "a connection changed its process");
    }
    let address = conn.get("/port").expect("an answer").text();
    let addresses: Vec<_> = address.lines().collect();
    assert!(addresses.iter().any(|line| same_address(line, target)), "{addresses:?} is not {target}");
    assert_eq!(conn.get("/nothing").expect("an answer").status, 404);
    assert_eq!(conn.get("/slow?ms=20").expect("an answer").who().expect("a pid"), first);

    let body: Vec<u8> = (0..200_000_u32).map(|byte| (byte % 251) as u8).collect();
    let echoed = conn.post("/echo", &body).expect("an answer");
    assert!(echoed.body == body, "{} of {} bytes came back, or others", echoed.body.len(), body.len());
    drop(conn);

    let mut conn = open(target, app);
    conn.last_request("/").expect("it is written");
    conn.response().expect("an answer").who().expect("a pid");
    assert!(conn.at_end(), "the server was asked to close the connection");
}

/// A program that listens on every address may show the unspecified one.
fn same_address(shown: &str, target: &Target) -> bool {
    Target::parse(shown).is_some_and(|shown| match (shown.local(), target.local()) {
        (Target::Tcp(shown), Target::Tcp(target)) => shown.port() == target.port(),
        (shown, target) => shown == target,
    }) || matches!(target, Target::Path(path) if path.ends_with(shown))
}

/// A connection to the program; its greeting, if it greets, has been read.
#[track_caller]
pub fn open(target: &Target, app: &App) -> Conn {
    let mut conn = Conn::open(target).expect("the server listens");
    if app.greets {
        let greeting = conn.line().expect("the greeting comes first");
        assert!(greeting.starts_with("hello pid="), "{greeting:?}");
    }
    conn
}

/// The program's /close-listener or /listen-again, on a kept connection.
#[track_caller]
pub fn command(conn: &mut Conn, path: &str) {
    let response = conn.get(path).expect("an answer");
    assert_eq!(response.status, 200, "{path}: {}", response.text());
}

/// Whether a new connection is refused.
pub fn refused(target: &Target) -> bool {
    Conn::open(target).is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}
