//! tokio's multi-threaded runtime, a task per connection; TOKIO_WORKER_THREADS as in any program of tokio, else 2.
//! CURRENT_THREAD=1 is tokio's runtime of one thread.

use clustermon_test_apps::{Action, Address, answer, take_request, unix_name};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, Handle, RuntimeFlavor};

fn main() -> io::Result<()> {
    if std::env::var_os("CURRENT_THREAD").is_some() {
        return Builder::new_current_thread().enable_all().build()?.block_on(listen());
    }
    let mut runtime = Builder::new_multi_thread();
    if std::env::var_os("TOKIO_WORKER_THREADS").is_none() {
        runtime.worker_threads(2);
    }
    runtime.enable_all().build()?.block_on(listen())
}

async fn listen() -> io::Result<()> {
    match Address::from_env() {
        Address::Tcp(address) => {
            let listener = TcpListener::bind(address).await?;
            let name = listener.local_addr()?.to_string();
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(stream, name.clone()));
            }
        }
        Address::Unix(path) => {
            // tokio takes an abstract name as a path that begins with a zero byte.
            let listener = UnixListener::bind(match path.strip_prefix('@') {
                Some(name) => format!("\0{name}"),
                None => path,
            })?;
            let own = std::os::unix::net::SocketAddr::from(listener.local_addr()?);
            let name =
                unix_name(own.as_pathname(), std::os::linux::net::SocketAddrExt::as_abstract_name(&own));
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(serve(stream, name.clone()));
            }
        }
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, name: String) -> io::Result<()> {
    let mut input = Vec::new();
    loop {
        let Some(request) = take_request(&mut input) else {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let close = request.close;
        if let Some((pause, pieces)) = request.stream() {
            stream
                .write_all(format!("HTTP/1.1 200 x\r\nContent-Length: {pieces}\r\n\r\n").as_bytes())
                .await?;
            for _ in 0..pieces {
                tokio::time::sleep(pause).await;
                stream.write_all(b"x").await?;
            }
            if close {
                return Ok(());
            }
            continue;
        }
        let action = if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            answer(request, &name)
        } else {
            // It may compute for long: tokio hands what else the thread had to do, waiting for sockets perhaps, to another.
            tokio::task::block_in_place(|| answer(request, &name))
        };
        match action {
            Action::Send(bytes) => stream.write_all(&bytes).await?,
            Action::SendAfter(delay, bytes) => {
                tokio::time::sleep(delay).await;
                stream.write_all(&bytes).await?;
            }
            Action::Exit(code) => std::process::exit(code),
        }
        if close {
            return Ok(());
        }
    }
}
