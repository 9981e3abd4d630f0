//! What must be so after every turn of the loop, and at the end of a history. A check that fails panics and says what it has seen.

use super::super::Shell;
use super::World;
use super::clients::{Connection, Fate};
use super::processes::process::{Process, Thread};
use super::system::Simulated;
use crate::pool::Worker;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A connection that waits longer than this waits for nothing, if somebody could have taken it all the time.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same of one in the queue that came when nothing went wrong any more: nothing has to be made good by a later look. What was handed to
/// a worker waits for that one, as long as it does not lag.
const CALM_PATIENCE: Duration = Duration::from_millis(400);
/// So many turns at the same moment are a loop without an end.
const TURNS_AT_ONCE: u32 = 5_000;

/// What is remembered from one turn to the next.
#[derive(Debug, Default)]
pub(super) struct Checks {
    turns: u64,
    /// A deadline of the core that came in the last turn.
    due: Option<Instant>,
    /// Since when there has been somebody who could take a connection, without a break.
    able_since: Option<Instant>,
    /// Since when nothing goes wrong.
    calm_since: Option<Instant>,
}

impl Checks {
    pub(super) fn after_turn(&mut self, shell: &Shell<Simulated>, world: &mut World) {
        self.turns += 1;
        world.sent_in_turn = 0;
        assert!(world.turns_at_once < TURNS_AT_ONCE, "the loop goes round without the time moving on");
        no_deadline_is_forgotten(shell);
        // What has come to be due in this turn is done in the next.
        let due = shell.pool.next_deadline().filter(|at| *at <= shell.now);
        assert!(due.is_none() || due != self.due, "a deadline of the core has come and was not met: {due:?}");
        self.due = due;
        if self.turns.is_multiple_of(8) {
            self.nobody_waits_for_nothing(shell, world);
        }
        if self.turns.is_multiple_of(16) {
            tables_agree(shell, world);
        }
    }

    /// A connection is taken by somebody who can, in time.
    fn nobody_waits_for_nothing(&mut self, shell: &Shell<Simulated>, world: &World) {
        if !world.processes.values().any(|process| is_able(shell, process)) {
            self.able_since = None;
            return;
        }
        let able_since = *self.able_since.get_or_insert(world.now);
        if world.faults.is_none() {
            self.calm_since.get_or_insert(world.now);
        }
        let calm_since = self.calm_since;
        let has_patience_left = |waits: &Connection| {
            let is_calm = waits.fate == Fate::Queued && calm_since.is_some_and(|calm| waits.since >= calm);
            let patience = if is_calm { CALM_PATIENCE } else { PATIENCE };
            world.now.saturating_duration_since(waits.since.max(able_since)) < patience
        };
        let left = world.waiting().find(|(_, connection)| !has_patience_left(connection));
        assert!(
            left.is_none(),
            "a connection has waited while somebody could take it: {left:?}, at {:?}, {}",
            world.now,
            describe(shell, world)
        );
    }

    /// Nothing is waited for any more.
    pub(super) fn is_all_done(&self, shell: &Shell<Simulated>, world: &World) -> bool {
        self.turns.is_multiple_of(32)
            && world.connections.iter().all(super::clients::Connection::is_over)
            && world
                .given
                .iter()
                .filter(|given| given.order.must_end())
                .all(super::operator::Given::is_answered)
            && shell.pool.rollout().is_none()
    }

    /// Each connection was answered, or what became of it is known; and each order that had to end did.
    pub(super) fn all_answered(&self, shell: &Shell<Simulated>, world: &World) {
        let lost = world.closed_unanswered().next();
        assert!(
            lost.is_none(),
            "connection {lost:?} was closed by the supervisor, {}",
            describe(shell, world)
        );
        let left = world.connections.iter().enumerate().find(|(_, connection)| !connection.is_over());
        assert!(left.is_none(), "a connection is left: {left:?}, {}", describe(shell, world));
        let given = world.given.iter().find(|given| given.order.must_end() && !given.is_answered());
        assert!(given.is_none(), "an order has not ended: {given:?}, {}", describe(shell, world));
    }

    /// The cluster has come to rest: every process was reaped, and every table is empty.
    pub(super) fn nothing_is_left(&self, shell: &Shell<Simulated>, world: &World) {
        let left: Vec<u32> = world
            .processes
            .values()
            .filter(|process| !process.is_reaped)
            .map(|process| process.pid)
            .collect();
        assert!(left.is_empty(), "processes {left:?} were not reaped, {}", describe(shell, world));
        assert!(shell.lives.is_bare(), "something of a process is left: {:?}", shell.lives);
        assert!(shell.lanes.all.is_empty(), "lanes are left: {:?}", shell.lanes.all.keys());
        assert!(shell.lanes.leftovers.is_empty(), "lanes wait to be emptied");
        assert_eq!(shell.connections.releases.count(), 0, "counters of lanes are left");
        assert_eq!(shell.connections.pending.len(), 0, "connections are left");
        assert!(shell.listeners.all.is_empty() && shell.listeners.by_key.is_empty(), "listeners are left");
        let given = world.given.iter().find(|given| given.order.must_end() && !given.is_answered());
        assert!(given.is_none(), "an order has not ended: {given:?}");
    }
}

/// Idle in its wait, and in rotation: it could take a connection.
fn is_able(shell: &Shell<Simulated>, process: &Process) -> bool {
    if !process.is_alive() || process.thread != Thread::Waits || process.hangs || process.lane.is_none() {
        return false;
    }
    let its = |worker: &Worker<'_>| worker.pid() == Some(process.pid);
    let worker = shell.pool.workers().find(its);
    worker.is_some_and(|worker| {
        worker.is_running() && !worker.is_cordoned() && !shell.pool.is_suspect(worker.id())
    })
}

/// What is known of the next deadline is no later than any part's.
fn no_deadline_is_forgotten(shell: &Shell<Simulated>) {
    let truly = shell.next_deadline_of_others();
    if let Some(known) = shell.timers.known() {
        let is_late = match (known, truly) {
            (None, Some(_)) => true,
            (Some(known), Some(truly)) => known > truly,
            (_, None) => false,
        };
        assert!(!is_late, "a deadline at {truly:?} is taken to be at {known:?}, at {:?}", shell.now);
    }
}

/// The shell and the core have the same lanes, of processes that live; a process that runs is one that is known; and of each slot at most
/// one is current.
fn tables_agree(shell: &Shell<Simulated>, world: &World) {
    let of_core: BTreeSet<_> = shell.pool.lanes().map(|(id, _)| id).collect();
    let of_shell: BTreeSet<_> = shell.lanes.all.keys().copied().collect();
    assert_eq!(of_core, of_shell, "the lanes of the core, and those of the shell");
    for (id, lane) in &shell.lanes.all {
        assert!(shell.lives.contains(lane.worker), "{id:?} is a lane of {:?}, which is gone", lane.worker);
    }
    assert_eq!(shell.connections.releases.count(), shell.lanes.all.len(), "one counter for each lane");
    let known: BTreeSet<u32> = shell.lives.processes().map(|process| process.pid).collect();
    for process in world.processes.values().filter(|process| !process.is_reaped) {
        assert!(known.contains(&process.pid), "process {} is known to nobody", process.pid);
    }
    let slots: Vec<u32> = shell.pool.workers().map(|worker| worker.id().slot).collect();
    let distinct: BTreeSet<u32> = slots.iter().copied().collect();
    assert_eq!(slots.len(), distinct.len(), "two are current in one slot: {slots:?}");
    let lost = world.closed_unanswered().next();
    let is_ending = shell.pool.is_closing() || shell.outcome.is_some();
    assert!(lost.is_none() || is_ending, "connection {lost:?} was closed by the supervisor");
}

/// The state of things, for whoever has to find out why.
fn describe(shell: &Shell<Simulated>, world: &World) -> String {
    let mut text = format!("at {:?} of the history", world.now.saturating_duration_since(world.begun));
    text += &format!("; {} in the queue, watchers {:?}", world.queue.len(), world.watchers);
    for listener in shell.listeners.all.values() {
        text += &format!(
            "; listener pending {} muted {} hushed {} by credit {} granted {:?}",
            listener.pending,
            listener.muted,
            listener.hushed,
            listener.by_credit(),
            listener.granted
        );
    }
    for (id, lane) in &shell.lanes.all {
        text += &format!(
            "; {id:?} of {:?}: open {} waiting {} direct {} watched {}, in the core {:?}",
            lane.worker,
            lane.open,
            lane.waiting(),
            lane.is_direct(),
            lane.watched,
            shell.pool.lane(*id)
        );
    }
    for process in world.processes.values().filter(|process| process.is_alive()) {
        text += &format!(
            "; process {}: {:?} hangs {} stopping {} hands {} lane {:?}",
            process.pid,
            process.thread,
            process.hangs,
            process.is_stopping,
            process.hands.len(),
            process.lane
        );
    }
    let held: Vec<usize> = world.held.values().copied().collect();
    let fates = world.connections.iter().filter(|connection| connection.fate == Fate::Held).count();
    text + &format!(
        "; held {held:?} ({fates}); workers {:?}",
        shell.pool.workers().map(|worker| (worker.id(), worker.state())).collect::<Vec<_>>()
    )
}
