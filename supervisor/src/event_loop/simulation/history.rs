//! One history from the start of a cluster to its end: some time with faults, clients and orders, some in which all is well and everything
//! has to be made good, and the stop.

use super::super::{Setup, Shell};
use super::World;
use super::agenda::Deed;
use super::checks::Checks;
use super::dice::Dice;
use super::operator::Order;
use super::setting;
use super::system::Simulated;
use crate::hooks::Hooks;
use crate::io::kernel::foreign;
use crate::link::{Board, Inbox};
use crate::pool::Input;
use crossbeam_channel::unbounded;
use mio::Events;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// After all is well, by when everything is.
const MADE_GOOD: Duration = Duration::from_secs(45);
/// By when a cluster has stopped.
const STOPPED: Duration = Duration::from_secs(120);

/// A cluster and its world.
pub(super) struct History {
    pub(super) shell: Shell<Simulated>,
    pub(super) world: Rc<RefCell<World>>,
    events: Events,
    checks: Checks,
}

/// Goes through one.
pub(super) fn run(mut dice: Dice) {
    foreign::close_at_once();
    crate::pool::invariants::check_every(8);
    let mut history = History::new(&mut dice);
    history.shell.input(Input::Start);
    history.live();
    history.be_made_good();
    history.stop();
}

impl History {
    #[expect(clippy::disallowed_methods, reason = "virtual time begins at some moment")]
    fn new(dice: &mut Dice) -> Self {
        let config = setting::config(dice);
        log::debug!("{config:?}");
        let (orders, receiver) = unbounded();
        let board = Arc::new(Board::default());
        let has_faults = !dice.once_in(8);
        let inner = std::mem::replace(dice, Dice::seeded(0));
        let world = World::new(inner, Instant::now(), orders, board.clone(), has_faults);
        let world = Rc::new(RefCell::new(world));
        let setup = Setup {
            config,
            launch_spec: setting::launch_spec(),
            home: None,
            thunk: PathBuf::from("/simulated/libclustermon_thunk.so"),
            signals: None,
            hooks: Hooks::default(),
            inbox: Some(Inbox { orders: receiver, board }),
            origin: None,
        };
        let shell = Shell::new(Simulated::new(world.clone()), setup).expect("a shell");
        Self { shell, world, events: Events::with_capacity(256), checks: Checks::default() }
    }

    /// Clients come, orders are given, and things go wrong.
    fn live(&mut self) {
        let end = {
            let mut world = self.world.borrow_mut();
            let length = world.dice.millis(500, 9_000);
            let start = world.dice.millis(0, 300);
            world.after(start, Deed::Connect);
            if world.faults.is_some() {
                world.after(length / 10, Deed::Trouble);
            }
            for _ in 0..world.dice.below(5) {
                let at = world.dice.millis(0, length.as_millis() as u64);
                let order = Order::any(&mut world.dice);
                world.after(at, Deed::Operate(order));
            }
            world.now + length
        };
        self.go_on_to(end, false);
    }

    /// Nothing goes wrong any more: all that did is made good.
    fn be_made_good(&mut self) {
        let end = {
            let mut world = self.world.borrow_mut();
            world.be_well();
            world.operate(Order::UncordonAll);
            world.operate(Order::StartAll);
            let last = world.dice.millis(0, 3_000);
            world.now + last
        };
        self.go_on_to(end, false);
        let end = {
            let mut world = self.world.borrow_mut();
            world.clients_stay_away();
            world.now + MADE_GOOD
        };
        self.go_on_to(end, true);
        self.checks.all_answered(&self.shell, &self.world.borrow());
    }

    fn stop(&mut self) {
        let end = {
            let mut world = self.world.borrow_mut();
            world.operate(Order::StopCluster);
            world.now + STOPPED
        };
        self.go_on_to(end, false);
        let outcome = self.shell.outcome.expect("a cluster that is told to stop does, within two minutes");
        self.shell.sweep();
        self.shell.outputs.finish(self.shell.poll.registry());
        self.shell.settle(outcome);
        self.checks.nothing_is_left(&self.shell, &self.world.borrow());
    }

    /// Lets the cluster run until then, or until it has come to rest; if `early`, until all connections are answered and all orders too.
    fn go_on_to(&mut self, end: Instant, early: bool) {
        self.world.borrow_mut().limit = Some(end);
        while self.shell.outcome.is_none() {
            {
                let world = self.world.borrow();
                if world.now >= end || early && self.checks.is_all_done(&self.shell, &world) {
                    return;
                }
            }
            self.shell.turn(&mut self.events).expect("the poll works");
            self.checks.after_turn(&self.shell, &mut self.world.borrow_mut());
        }
    }
}
