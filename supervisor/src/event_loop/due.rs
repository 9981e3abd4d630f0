//! What is due when, for everybody but the core: one list, which holds the time of each part and what is done then, so that neither can
//! be forgotten. It decides nothing.

use super::Shell;
use super::os::Os;
use crate::io::control::server::Control;
use crate::io::lanes::open_connections::OpenConnections;
use std::time::Instant;

/// A part of the shell that waits for a time.
struct Part<O> {
    /// When something is due, if anything is.
    next: fn(&Shell<O>) -> Option<Instant>,
    /// Does what is due by now.
    due: fn(&mut Shell<O>),
}

impl<O: Os> Shell<O> {
    /// All of them, in the order in which they are looked at.
    const PARTS: [Part<O>; 22] = [
        Part {
            next: |shell| shell.requests.socket.next_deadline(),
            due: |shell| {
                shell.on_requests(|thunk_socket, now, poll, asked| {
                    thunk_socket.expire(now, poll.registry(), asked)
                })
            },
        },
        Part {
            next: |shell| shell.control.as_ref().and_then(Control::next_deadline),
            due: Self::expire_clients,
        },
        Part { next: |shell| shell.lives.earliest(|life| life.search_at), due: Self::search_survivors },
        Part {
            next: |shell| shell.lives.earliest(|life| life.orphaned_lanes.next_deadline()),
            due: Self::look_at_orphaned_lanes,
        },
        Part {
            next: |shell| shell.lives.earliest(|life| Some(life.uncovered.as_ref()?.next)),
            due: Self::look_for_uncovered,
        },
        Part {
            next: |shell| shell.lives.earliest(|life| life.suspended.next_deadline()),
            due: Self::push_suspended,
        },
        Part { next: |shell| shell.remains.next_deadline(), due: Self::look_at_remains },
        Part { next: |shell| shell.lanes.idle.next_deadline(), due: Self::look_at_idle_lanes },
        Part { next: Self::closing_deadline, due: Self::look_at_intakes },
        Part {
            next: |shell| shell.lives.earliest(|life| life.drain.next_deadline()),
            due: Self::look_at_lanes,
        },
        Part { next: |shell| shell.health.monitor.next_deadline(), due: Self::monitor },
        Part { next: |shell| shell.datagrams.next_look(), due: Self::look_at_datagrams },
        Part { next: |shell| shell.lives.earliest(|life| life.dumps_until), due: Self::stop_dumped },
        Part { next: |shell| shell.health.holders.next_deadline(), due: Self::kill_holders },
        Part { next: |shell| shell.lives.earliest(|life| life.survivors_at), due: Self::stop_survivors },
        Part { next: |shell| shell.reloads.look_at, due: Self::look_at_timetable },
        Part {
            next: |shell| shell.outputs.next_deadline(),
            due: |shell| shell.outputs.look(shell.now, shell.poll.registry()),
        },
        Part {
            next: |shell| shell.lives.earliest(|life| life.ear.as_ref()?.alive_by()),
            due: Self::look_at_watchdogs,
        },
        Part {
            next: |shell| shell.lives.earliest(|life| life.readiness.next_deadline()),
            due: Self::try_workers,
        },
        Part {
            next: |shell| shell.reports.notifier.next_deadline(),
            due: |shell| shell.reports.notifier.handle_timeout(shell.now),
        },
        Part {
            next: |shell| shell.connections.open.as_ref().and_then(OpenConnections::next_deadline),
            due: Self::count_open,
        },
        // They are looked at in every turn as well, since what has just happened may be what somebody waits for.
        Part { next: |shell| shell.waits.next_deadline(shell.now), due: Self::answer_waiting },
    ];

    /// When something is due for anybody but the core.
    pub(super) fn next_deadline_of_others(&self) -> Option<Instant> {
        Self::PARTS.iter().filter_map(|part| (part.next)(self)).min()
    }

    /// Does what is due for everybody but the core.
    pub(super) fn do_what_is_due(&mut self) {
        for part in &Self::PARTS {
            if (part.next)(self).is_some_and(|at| at <= self.now) {
                (part.due)(self);
            }
        }
    }
}
