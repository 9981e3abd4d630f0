//! smol, a task per connection. Its event loop calls the kernel without the C library.

use clustermon_test_apps::{Action, Address, answer, take_request};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};
use std::io;

fn main() -> io::Result<()> {
    smol::block_on(async {
        let Address::Tcp(address) = Address::from_env() else {
            return Err(io::Error::other("this program listens on TCP only"));
        };
        let listener = TcpListener::bind(address).await?;
        let name = listener.local_addr()?.to_string();
        loop {
            let (stream, _) = listener.accept().await?;
            smol::spawn(serve(stream, name.clone())).detach();
        }
    })
}

async fn serve(mut stream: TcpStream, name: String) -> io::Result<()> {
    let mut input = Vec::new();
    let mut chunk = [0; 65536];
    loop {
        let Some(request) = take_request(&mut input) else {
            match stream.read(&mut chunk).await? {
                0 => return Ok(()),
                length => input.extend_from_slice(&chunk[..length]),
            }
            continue;
        };
        let close = request.close;
        match answer(request, &name) {
            Action::Send(bytes) => stream.write_all(&bytes).await?,
            Action::SendAfter(delay, bytes) => {
                smol::Timer::after(delay).await;
                stream.write_all(&bytes).await?;
            }
            Action::Exit(code) => std::process::exit(code),
        }
        if close {
            return Ok(());
        }
    }
}
