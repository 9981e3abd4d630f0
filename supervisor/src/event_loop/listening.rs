//! How listening sockets of workers become load balancers and lanes, and what workers say on these. The rules are the
//! kernel's; whether a worker is to be served is the core's.

use super::requests::errno;
use super::{Shell, arm};
use crate::config::Dispatch;
use crate::ids::{BalancerId, LaneId, WorkerId};
use crate::io::credit::queue_length;
use crate::io::diag::reach::Reach;
use crate::io::foreign::Foreign;
use crate::io::intercept::Answerer;
use crate::io::lane::{Garbage, Holder, Lane, get_option};
use crate::io::listener::{self, Facts, Key, Listener};
use crate::io::source::Source;
use crate::io::{descriptors, diag};
use crate::pool::Input;
use clustermon_protocol::address::Address;
use clustermon_protocol::env;
use clustermon_protocol::message::{Place, Reply};
use clustermon_protocol::record::Upward;
use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// So much of what one worker says is heard in one turn.
const UPWARD_BUDGET: u32 = 64;

/// Descriptors that a lane takes: its two ends, its page, and perhaps a socket that listens.
const LANE_COST: usize = 4;
/// So many every worker may have, however few descriptors there are.
const LEAST_LANES: usize = 32;

impl Shell {
    pub(super) fn listen(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
        place: &Place<'_>,
        caller: Answerer,
    ) {
        let (id, balancer) = match self.place(worker, holder, socket, backlog, place) {
            Ok(placed) => placed,
            Err(error) => {
                caller.reply(&Reply::Errno(errno(&error)), None);
                return;
            }
        };
        self.join(worker, holder.pid);
        let Some(lane) = self.lanes.get(&id) else { return };
        let told = caller.deliver(&Reply::Lane { lane: id.0 }, Some(lane.worker_end()));
        self.input(Input::LaneOpened { lane: id, worker, balancer });
        self.may_be_ready(worker);
        match told {
            Some(delivery) => self.deliveries.push((id, delivery)),
            None => self.input(Input::LaneClosed { lane: id }),
        }
    }

    /// A lane to the balancer of the socket's address, which is opened on this very socket if it is the first. The lane
    /// comes first: a balancer that nobody serves would keep its clients waiting for ever.
    fn place(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        socket: Foreign,
        backlog: i32,
        place: &Place<'_>,
    ) -> io::Result<(LaneId, BalancerId)> {
        let mut cookie = [0; 8];
        get_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_COOKIE, &mut cookie)?;
        let cookie = u64::from_ne_bytes(cookie);
        let process = self.lives.process_mut(worker);
        let owned = process.and_then(|process| process.owned.remove(&cookie));
        let facts = Facts::of(socket.as_fd(), owned, place.path)?;
        match self.by_key.get(&facts.key).copied() {
            Some(balancer) => {
                if self.listens_already(worker, holder, balancer, &facts) {
                    let what = format!("listens on {} twice", facts.address);
                    self.accuse_worker(worker, holder.pid, what);
                    return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
                }
                let lane = self.open_lane(worker, holder, balancer, &facts.address)?;
                if owned.is_none() {
                    self.move_to_newer(balancer, socket, &facts).inspect_err(|_| self.abandon(lane))?;
                }
                Ok((lane, balancer))
            }
            // The cluster has let go of it since the bind in name: there is no bound socket to listen on.
            None if owned.is_some() => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
            None => {
                let balancer = BalancerId(self.next_balancer);
                self.next_balancer += 1;
                let lane = self.open_lane(worker, holder, balancer, &facts.address)?;
                let opened = self.open_balancer(worker, balancer, socket, facts, backlog);
                opened.inspect_err(|_| self.abandon(lane))?;
                Ok((lane, balancer))
            }
        }
    }

    /// A process that listens again on what it holds made a mistake, unless it set SO_REUSEPORT itself.
    fn listens_already(&self, worker: WorkerId, holder: Holder, balancer: BalancerId, facts: &Facts) -> bool {
        let meant =
            self.lives.process(worker).is_some_and(|process| process.reuse_port.contains(&facts.cookie));
        !meant
            && matches!(facts.key, Key::Inet { .. })
            && self.lanes.values().any(|lane| {
                lane.balancer == balancer
                    && lane.worker == worker
                    && lane.holder.pid == holder.pid
                    && lane.is_where_it_was()
            })
    }

    /// How to find the sockets that would get some of this one's clients: those that bind() fails for, alone, though the library
    /// has set SO_REUSEPORT. If the program has set it itself, those of exactly the address.
    fn others_who_listen(
        &self,
        worker: WorkerId,
        socket: &Foreign,
        facts: &Facts,
    ) -> impl Fn() -> io::Result<Vec<u64>> + use<> {
        let meant =
            self.lives.process(worker).is_some_and(|process| process.reuse_port.contains(&facts.cookie));
        let reach = Reach::of(socket.as_fd(), facts).filter(|_| !meant);
        let address = facts.address;
        move || reach.map_or_else(|| diag::listening_on(&address), |reach| reach.listeners())
    }

    fn open_balancer(
        &mut self,
        worker: WorkerId,
        id: BalancerId,
        socket: Foreign,
        facts: Facts,
        backlog: i32,
    ) -> io::Result<()> {
        let address = facts.address;
        let others = self.others_who_listen(worker, &socket, &facts);
        let taken = |shell: &mut Self, own: u64| -> io::Result<()> {
            let ours = |inode: &u64| {
                *inode == own || shell.listeners.values().any(|listener| listener.inode == *inode)
            };
            let mut strangers = others()?;
            strangers.retain(|inode| !ours(inode));
            if strangers.is_empty() {
                return Ok(());
            }
            shell.tell_taken(worker, &address, Some(&strangers));
            Err(io::Error::from_raw_os_error(libc::EADDRINUSE))
        };
        // A supervisor that is a worker of another's cluster cannot tell that one's sockets from a stranger's before it
        // has listened, which that one may take over.
        let nested = std::env::var_os(env::SOCKET).is_some();
        if !nested {
            taken(self, 0)?;
        }
        let file = match &facts.key {
            // Without its file, clients find another socket at the path, whose turn comes when that listens.
            Key::Path(path) => listener::file_of_socket(path, facts.inode),
            Key::Inet { .. } | Key::Abstract(_) => None,
        };
        let backlog = backlog.max(i32::try_from(self.config.settings.listeners.backlog).unwrap_or(i32::MAX));
        let key = facts.key.clone();
        let mut listener = Listener::open(id, socket, facts, file, backlog)?;
        listener.handoff_because = self.handoff_because(&listener);
        if nested && !listener.is_taken_over()? {
            taken(self, listener.inode)?;
        }
        let fd = listener.as_fd().as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), Source::Listener(id).into(), Interest::READABLE)?;
        let by_credit = listener.by_credit();
        if self.config.settings.balancing.dispatch == Dispatch::Credit
            && let Some(why) = listener.handoff_because
        {
            log::warn!("{}: connections are handed over, not given by credit: {why}", listener.address);
        }
        let is_first = !self.listeners.values().any(Listener::by_credit);
        if by_credit && is_first && self.config.settings.balancing.window.is_some() {
            log::info!("--window has no effect where workers accept by credit");
        }
        self.by_key.insert(key, id);
        self.listeners.insert(id, listener);
        self.input(Input::BalancerOpened { balancer: id, by_credit });
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
        } else if queue_length(listener.as_fd()).is_none() {
            Some("the kernel does not tell the length of its queue")
        } else {
            None
        }
    }

    /// The newest bind of a path wins: clients find its file. What waits in the old queue is taken along.
    fn move_to_newer(&mut self, balancer: BalancerId, socket: Foreign, facts: &Facts) -> io::Result<()> {
        let Key::Path(path) = &facts.key else { return Ok(()) };
        let file = listener::file_of_socket(path, facts.inode);
        let Some(listener) = self.listeners.get_mut(&balancer) else { return Ok(()) };
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

    pub(super) fn open_lane(
        &mut self,
        worker: WorkerId,
        holder: Holder,
        balancer: BalancerId,
        address: &Address,
    ) -> io::Result<LaneId> {
        if descriptors::are_scarce(self.releases.as_fd()) {
            if let Some(hushed) = self.complaints.ask(self.now) {
                let (id, limit) = (self.logical_id(worker), descriptors::limit());
                log::error!(
                    "worker {id} cannot listen on {address}: of the {limit} descriptors that the supervisor may have \
                     the last are kept for connections; raise its limit (ulimit -n, LimitNOFILE=){hushed}"
                );
            }
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let most = self.share_of_one() / LANE_COST;
        if self.lanes.values().filter(|lane| lane.worker == worker).count() >= most.max(LEAST_LANES) {
            let what =
                format!("gets no lane for {address}: it has its share of the supervisor's descriptors");
            self.accuse_worker(worker, holder.pid, what);
            return Err(io::Error::from_raw_os_error(libc::ENFILE));
        }
        let id = LaneId(self.next_lane);
        self.next_lane += 1;
        let place = (worker, balancer, holder);
        let ticket = self.releases.open()?;
        let lane = Lane::new(
            id,
            self.nonce,
            address,
            place,
            ticket,
            self.config.settings.balancing.window(),
            self.record_cost,
        )
        .inspect_err(|_| self.releases.close(ticket))?;
        let fd = lane.as_fd().as_raw_fd();
        let source = Source::Lane(id).into();
        self.poll
            .registry()
            .register(&mut SourceFd(&fd), source, Interest::READABLE)
            .inspect_err(|_| self.releases.close(ticket))?;
        self.lanes.insert(id, lane);
        self.idle_lanes.opened(self.now);
        Ok(id)
    }

    /// Forgets a lane that the core has not heard of.
    fn abandon(&mut self, id: LaneId) {
        if let Some(lane) = self.lanes.remove(&id) {
            self.releases.close(lane.ticket);
        }
    }

    /// Takes in what a worker says on its lane. One that goes on and on is heard further in the next turn.
    pub(super) fn on_upward(&mut self, id: LaneId) {
        for _ in 0..UPWARD_BUDGET {
            let said = self.lanes.get(&id).and_then(|lane| Some((lane.next_upward()?, lane)));
            let Some((upward, Lane { worker, balancer, holder, .. })) = said else { return };
            let (worker, pid) = (*worker, holder.pid);
            if !matches!(upward, Ok(Upward::Ring | Upward::Nonblock(_))) {
                self.timers.changed();
            }
            match upward {
                Ok(Upward::Nonblock(on)) => {
                    if let Some(listener) = self.listeners.get_mut(balancer) {
                        listener.nonblock = on;
                    }
                }
                Ok(Upward::Shut) => self.input(Input::LaneClosed { lane: id }),
                Ok(Upward::Waits) => {
                    self.on_waits(id);
                    self.carry_out();
                }
                Ok(Upward::Barred(errno)) => self.on_barred(worker, pid, errno),
                Ok(Upward::Lost) => {
                    let what = "lost a connection: its table of descriptors was full";
                    self.accuse_worker(worker, pid, what);
                }
                Ok(word) => {
                    self.on_credit_word(id, word);
                }
                Err(Garbage) => self.accuse_worker(worker, pid, "sends garbage on its lane"),
            }
        }
        if let Some(lane) = self.lanes.get(&id) {
            // Registering anew reports what is still there.
            let _ = arm(&self.poll, id, lane, lane.armed);
        }
    }
}
