//! A blocking accept loop with a thread per connection.

use clustermon_test_apps::{Action, Address, answer, take_request, unix_name};
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::thread;

fn main() -> io::Result<()> {
    match Address::from_env() {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address)?;
            let name = listener.local_addr()?.to_string();
            listener.incoming().for_each(|stream| spawn(stream, &name));
        }
        Address::Unix(path) => {
            let address = match path.strip_prefix('@') {
                Some(name) => SocketAddr::from_abstract_name(name)?,
                None => SocketAddr::from_pathname(&path)?,
            };
            let listener = UnixListener::bind_addr(&address)?;
            let own = listener.local_addr()?;
            let name = unix_name(own.as_pathname(), own.as_abstract_name());
            listener.incoming().for_each(|stream| spawn(stream, &name));
        }
    }
    Ok(())
}

fn spawn<S: Read + Write + Send + 'static>(stream: io::Result<S>, name: &str) {
    let name = name.to_owned();
    if let Ok(stream) = stream {
        // A client that goes away ends its own thread only.
        thread::spawn(move || serve(stream, &name));
    }
}

#[expect(clippy::disallowed_methods, reason = "the contract asks for a slow page")]
fn serve(mut stream: impl Read + Write, name: &str) -> io::Result<()> {
    let mut input = Vec::new();
    let mut chunk = [0; 65536];
    loop {
        let Some(request) = take_request(&mut input) else {
            match stream.read(&mut chunk)? {
                0 => return Ok(()),
                length => input.extend_from_slice(&chunk[..length]),
            }
            continue;
        };
        let close = request.close;
        match answer(request, name) {
            Action::Send(bytes) => stream.write_all(&bytes)?,
            Action::SendAfter(delay, bytes) => {
                thread::sleep(delay);
                stream.write_all(&bytes)?;
            }
            Action::Exit(code) => std::process::exit(code),
        }
        if close {
            return Ok(());
        }
    }
}
