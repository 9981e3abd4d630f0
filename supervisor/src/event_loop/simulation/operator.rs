//! What people and programs order while a cluster runs, by the queue by which a host program does. Each order waits for its outcome, and
//! each must have one.

use super::World;
use super::dice::Dice;
use crate::api::{Action, Command, Failure, Reply, ScaleTo, Target};
use crate::link;
use crossbeam_channel::{Receiver, bounded};
use std::time::Instant;

/// An order, by what the dice say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Reload,
    AbortReload,
    Restart(u32),
    Stop(u32),
    ForceStop(u32),
    Start(u32),
    StartAll,
    Cordon(u32),
    Uncordon(u32),
    UncordonAll,
    Scale(u32),
    Inspect,
    StopCluster,
}

impl Order {
    /// Any but the end.
    pub(super) fn any(dice: &mut Dice) -> Self {
        let slot = dice.below(4) as u32;
        match dice.below(16) {
            0..6 => Self::Reload,
            6 => Self::AbortReload,
            7 | 8 => Self::Restart(slot),
            9 => Self::Stop(slot),
            10 => Self::ForceStop(slot),
            11 => Self::Start(slot),
            12 => Self::Cordon(slot),
            13 => Self::Uncordon(slot),
            14 => Self::Scale(1 + slot),
            _ => Self::Inspect,
        }
    }

    fn action(self) -> Action {
        let target = |slot: u32| Target::Worker(slot.to_string());
        match self {
            Self::Reload => Action::Reload,
            Self::AbortReload => Action::AbortReload,
            Self::Restart(slot) => Action::Restart { target: target(slot) },
            Self::Stop(slot) => Action::Stop { target: target(slot) },
            Self::ForceStop(slot) => Action::ForceStop { target: target(slot) },
            Self::Start(slot) => Action::Start { target: target(slot) },
            Self::StartAll => Action::Start { target: Target::Cluster },
            Self::Cordon(slot) => Action::Cordon { target: target(slot) },
            Self::Uncordon(slot) => Action::Uncordon { target: target(slot) },
            Self::UncordonAll => Action::Uncordon { target: Target::Cluster },
            Self::Scale(workers) => Action::Scale { workers: ScaleTo::To(workers) },
            Self::Inspect => Action::Inspect,
            Self::StopCluster => Action::Stop { target: Target::Cluster },
        }
    }

    /// It is over when something has ended that ends in any case; others may wait for what never comes: a worker that is to run may be stopped by somebody else.
    pub(super) fn must_end(self) -> bool {
        matches!(
            self,
            Self::Reload
                | Self::AbortReload
                | Self::Stop(_)
                | Self::ForceStop(_)
                | Self::Inspect
                | Self::Cordon(_)
                | Self::Uncordon(_)
                | Self::StopCluster
        )
    }
}

/// An order that was given.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) order: Order,
    /// For who reads of one that has not ended.
    #[expect(dead_code, reason = "it is printed")]
    at: Instant,
    answer: Receiver<Result<Reply, Failure>>,
}

impl Given {
    pub(super) fn is_answered(&self) -> bool {
        !self.answer.is_empty()
    }
}

impl World {
    /// Gives an order, and has the loop look.
    pub(super) fn operate(&mut self, order: Order) {
        let wait_ms = matches!(order, Order::Inspect).then_some(0).or(Some(crate::api::NO_LIMIT));
        let (answer, receiver) = bounded(1);
        let command = Command { action: order.action(), wait_ms };
        // The loop has the other end for as long as there is a history.
        let _ = self.orders.send(link::Order { command, answer });
        self.given.push(Given { order, at: self.now, answer: receiver });
        log::debug!("the operator orders {order:?}");
        self.board.wake();
    }
}
