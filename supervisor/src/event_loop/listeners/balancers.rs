//! The listening socket of a balancer: opened, moved to a newer one, opened anew after it failed, and closed. When that is to be is not decided
//! here.

use super::super::Shell;
use super::super::os::Os;
use crate::config::Dispatch;
use crate::ids::{BalancerId, WorkerId};
use crate::io::events::source::Source;
use crate::io::kernel::foreign::Foreign;
use crate::io::sockets::listener::{self, Facts, Key, Listener};
use crate::pool::{Input, Route};
use clustermon_protocol::env;
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

impl<O: Os> Shell<O> {
    /// `by_kernel`: workers accept from it as they like.
    pub(in crate::event_loop) fn open_balancer(
        &mut self,
        worker: WorkerId,
        id: BalancerId,
        socket: Foreign,
        facts: Facts,
        backlog: i32,
        by_kernel: bool,
    ) -> io::Result<()> {
        let address = facts.address;
        let reach = self.reach(worker, &socket, &facts);
        // A supervisor that is a worker of another's cluster cannot tell that one's sockets from a stranger's before it
        // has listened, which that one may take over.
        let nested = std::env::var_os(env::SOCKET).is_some();
        if !nested {
            // One that the kernel serves, or a service manager's, may listen already.
            let own = if by_kernel || facts.given { facts.inode } else { 0 };
            self.refuse_strangers(worker, &address, own, reach)?;
        }
        let view = self.launching.view();
        let file = match &facts.key {
            // Without its file, clients find another socket at the path, whose turn comes when that listens.
            Key::Path(path) => view.run(|| listener::file_of_socket(path, facts.inode))?,
            Key::Inet { .. } | Key::Abstract(_) => None,
        };
        let backlog = backlog.max(i32::try_from(self.config.settings.listeners.backlog).unwrap_or(i32::MAX));
        let key = facts.key.clone();
        let mut listener = self.os.listen(id, socket, facts, file, backlog, by_kernel)?;
        listener.view = view;
        listener.handoff_because = (!by_kernel).then(|| self.handoff_because(&listener)).flatten();
        if nested && !listener.is_taken_over()? {
            self.refuse_strangers(worker, &address, listener.inode, reach)?;
        }
        let fd = listener.as_fd().as_raw_fd();
        self.poll.registry().register(
            &mut SourceFd(&fd),
            Source::Listener(id).into(),
            interest(by_kernel),
        )?;
        let by_credit = listener.by_credit();
        if self.config.settings.balancing.dispatch == Dispatch::Credit
            && let Some(why) = listener.handoff_because
        {
            log::warn!("{}: connections are handed over, not given by credit: {why}", listener.address);
        }
        let is_first = !self.listeners.all.values().any(Listener::by_credit);
        if by_credit && is_first && self.config.settings.balancing.window.is_some() {
            log::info!("--window has no effect where workers accept by credit");
        }
        self.listeners.by_key.insert(key, id);
        self.listeners.all.insert(id, listener);
        let route = match by_kernel {
            true => Route::Kernel,
            false if by_credit => Route::Credit,
            false => Route::Handoff,
        };
        self.input(Input::BalancerOpened { balancer: id, route });
        self.make_ready(id);
        Ok(())
    }

    /// Why the supervisor has to accept from this socket itself, if it has to.
    fn handoff_because(&self, listener: &Listener) -> Option<&'static str> {
        if let Some(chosen) = self.config.settings.balancing.handoff_because() {
            Some(chosen)
        } else if !matches!(listener.key, Key::Inet { .. }) {
            Some("a unix socket")
        } else if listener.is_taken_over().unwrap_or(true) {
            Some("the socket is that of an outer cluster")
        } else if self.os.queue_length(listener).is_none() {
            Some("the kernel does not tell the length of its queue")
        } else {
            None
        }
    }

    /// The newest bind of a path wins: clients find its file. What waits in the old queue is taken along.
    pub(super) fn move_to_newer(
        &mut self,
        balancer: BalancerId,
        socket: Foreign,
        facts: &Facts,
    ) -> io::Result<()> {
        let Key::Path(path) = &facts.key else { return Ok(()) };
        let file = self.launching.view().run(|| listener::file_of_socket(path, facts.inode))?;
        let Some(listener) = self.listeners.all.get_mut(&balancer) else { return Ok(()) };
        if file.is_none() || file == listener.file || !facts.listening {
            return Ok(());
        }
        let registry = self.poll.registry();
        let fd = socket.as_raw_fd();
        registry.register(&mut SourceFd(&fd), Source::Listener(balancer).into(), Interest::READABLE)?;
        let old = listener.as_fd().as_raw_fd();
        listener.replace(socket, facts.inode, file)?;
        let _ = registry.deregister(&mut SourceFd(&old));
        log::info!("{} was bound anew: serving the newer socket", facts.address);
        self.make_ready(balancer);
        Ok(())
    }

    /// Listens anew on the address of a socket that failed.
    pub(in crate::event_loop) fn reopen(&mut self, balancer: BalancerId) {
        let Some(listener) = self.listeners.all.get_mut(&balancer) else { return };
        let registry = self.poll.registry();
        let _ = registry.deregister(&mut SourceFd(&listener.as_fd().as_raw_fd()));
        let opened = listener.reopen().and_then(|anew| {
            let source = Source::Listener(balancer).into();
            let wanted = interest(listener.by_kernel);
            registry.register(&mut SourceFd(&listener.as_fd().as_raw_fd()), source, wanted)?;
            Ok(anew)
        });
        let input = match opened {
            Ok(anew) => Input::BalancerReopened { balancer, anew },
            Err(error) => Input::BalancerFailed { balancer, error: error.to_string() },
        };
        self.pool.handle(self.now, input);
    }

    pub(in crate::event_loop) fn close_balancer(&mut self, balancer: BalancerId) {
        if self.datagrams.has(balancer) {
            return self.close_datagrams(balancer);
        }
        let Some(listener) = self.listeners.all.remove(&balancer) else { return };
        if self.pool.balancer(balancer).is_some() {
            // Its workers go on with what they have of it.
            self.listeners.closed.push((balancer, listener.address));
        }
        self.listeners.by_key.remove(&listener.key);
        self.listeners.ready.retain(|ready| *ready != balancer);
        if self.steering.has(balancer) {
            // Its sockets are the workers', and were never watched here.
            return self.close_group(balancer);
        }
        let _ = self.poll.registry().deregister(&mut SourceFd(&listener.as_fd().as_raw_fd()));
        // Of those to which the kernel brings connections each closes it when it is told to stop: shut down, it would look broken.
        if !listener.by_kernel || !self.lanes.all.values().any(|lane| lane.balancer == balancer) {
            listener.stop_listening();
        }
        listener.remove_file();
    }
}

/// What the poll is to tell of a socket: that somebody connects, or only that it was shut down.
fn interest(by_kernel: bool) -> Interest {
    if by_kernel { Interest::PRIORITY } else { Interest::READABLE }
}
