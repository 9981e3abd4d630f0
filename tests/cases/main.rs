//! The one test binary: a module per behaviour. Every test starts the built programs and sees them from outside.
#![allow(clippy::disallowed_methods, reason = "a test reads the clock for its deadlines and starts programs")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says why")]

/// Floods, garbage and claims on the request socket.
mod abuse;
/// Threads that wait in accept().
mod accepters;
/// Unix paths and names, IPv6, both families, port 0.
mod addresses;
/// The file of several apps.
mod app_file;
/// `up` and `down` of several apps.
mod apps_up;
/// Workers and strangers who mean harm by the request socket and the lanes.
mod attack;
/// Clients of the control socket that do not come to the point.
mod attack_control;
/// One line, exit code 2, nothing started.
mod bad_input;
/// Programs that cannot take connections, or accept past the library.
mod bypasses;
/// Programs that never listen do not notice the thunk.
mod bystanders;
/// Many connections and many descriptors.
mod capacity;
/// Why workers end and why they get no connections.
mod causes;
/// Listeners that a program has closed while nobody came.
mod closed_listeners;
/// Programs that test by connect() whether their address is free.
mod connect_before_listen;
/// The commands to a running cluster.
mod control;
/// The socket that they go through.
mod control_socket;
/// What is accepted after a cordon was answered.
mod cordon_race;
/// Limits and levels where workers accept by themselves.
mod counted;
/// Accepting by credits, record by record.
mod credits;
/// Which of them take part.
mod datagram_addresses;
/// UDP sockets that workers share.
mod datagrams;
/// Workers that die or stop, and what waited for them.
mod death;
/// Clusters in the background.
mod detach;
/// /dev/stderr of programs that change their user.
mod dev_stderr;
/// What is told of a command before it is run.
mod dispatch;
mod doctor;
/// Bytes sent before the accept.
mod early_bytes;
/// Files of variables.
mod env_file;
/// A connection that a worker closes is closed.
mod few_descriptors;
/// Programs whose listeners come by a seccomp filter.
mod filtered;
/// They listen more than once.
mod filtered_again;
/// The kernel chooses among them.
mod filtered_levels;
/// On which terms they are workers.
mod filtered_terms;
mod footprints;
mod ghosts;
/// Slow workers: out of rotation and back.
mod health;
/// Clusters of one worker, and workers that get little of a processor.
mod health_alone;
/// Workers that hang: evidence, replacement, kill.
mod health_hangs;
/// Garbage where a worker's health should be.
mod health_pages;
/// Workers that wait in a blocking accept are idle, whatever they waited for before.
mod idle;
/// Ignored and blocked signals, as the supervisor was started with them.
mod inherited_signals;
/// Programs that never listen.
mod jobs;
/// Addresses that a program opens long after its first.
mod late_addresses;
/// Ports that a program opens for one client while it serves.
mod later_ports;
/// What a killed supervisor leaves listening.
mod left_behind;
/// What tests of kernel dispatch have in common.
mod levels;
/// A supervisor with few descriptors.
mod limits;
/// Workers that close their listener and live on.
mod listener_close;
/// Workers that listen each in their own way.
mod listens_differ;
/// What workers are told, budgets, finished work, a bad first start, time to stop.
mod lives;
/// The file that a cluster in the background logs to: names, times, and opened anew.
mod log_file;
/// A log that nobody reads.
mod log_pipe;
/// Requests that take long.
mod long_requests;
/// What people run, each as a worker.
mod matrix;
/// Options of ours that stand after the command.
mod misplaced;
/// A loop without end is found where traffic is light.
mod missed;
/// Connections go from a worker that leaves to others.
mod moving;
/// Listeners by MPTCP.
mod mptcp;
/// The test programs themselves, without clustermon.
mod native;
/// No request is lost while a cluster changes.
mod no_loss;
/// The clients that look for lost requests find those that are lost.
mod no_loss_clients;
/// The version before this one.
mod older_thunk;
/// Whom a SIGKILL is put down to.
mod oom;
/// Out of rotation is out of it for good.
mod out_of_rotation;
/// The library in a program of one's own, and its documentation.
mod outside;
/// Other users of the machine, who send, say and take what is not theirs.
mod outsiders;
/// Sockets bound in name only.
mod owned;
/// The original's options and methods, and where they are.
mod parity;
/// Open credits that stay open over one vain accept, and singles that are taken and not used.
mod patience;
/// Odd folders, a lone binary, other users.
mod places;
/// What workers write, printed by commands.
mod plain_text;
/// Whom each policy picks, how many a worker may have, and nobody there.
mod policies;
mod prefork;
/// Other libraries that stand in for the C library's functions.
mod preloads;
/// Shared and private addresses.
mod private;
/// Every test program as a worker.
mod programs;
/// How often a worker's health is looked at.
mod pulse;
/// When a worker is ready, and what it says of itself.
mod ready;
/// What was written last.
mod recent_lines;
/// Epoll registrations of listeners that lanes replace.
mod registrations;
/// New versions: those that fail, and those that are another program in another place.
mod reload;
/// Reloads over one another, aborted ones, and what is shown of those that failed.
mod reload_over;
/// What workers leave behind.
mod remains;
/// A listening socket that fails.
mod reopen;
/// Delays and budgets of restarts, and the log of a life.
mod restarts;
/// Reloads that fail halfway, where the kernel chooses.
mod rollback;
/// Processes replaced one after the other, for whatever reason.
mod rolling;
/// Whose turn it is.
mod rotation;
/// A worker that harms the socket which all share.
mod sabotage;
/// The supervisor under a service manager, a terminal, as process 1, and as a worker.
mod service;
/// What status and events tell of a cluster.
mod shown;
/// Clients that never send a byte.
mod silent_clients;
/// The calls on a listening socket, one by one.
mod sockets;
/// What tests start does not depend on what started the tests.
mod started_alike;
/// The kernel chooses among the workers' own sockets.
mod steering;
/// Signals, wrappers, nothing left behind.
mod stop;
/// Ports held by somebody else.
mod strangers;
/// What workers write: captured, decoded, dropped; interpreters; the log as JSON.
mod streams;
/// Main processes that end before their children.
mod survivors;
/// Workers that are stopped by somebody, or by the terminal.
mod suspended;
/// Connections taken back from under a blocking accept().
mod take_back;
/// Children that accept in turns, by a lock, or one connection each.
mod taking_turns;
/// The thunk's file.
mod thunk_elf;
/// The file of the thunk is gone, or cannot be where it should.
mod thunk_file;
/// What the thunk tells of its decisions.
mod thunk_log;
/// Stops for which there is little time.
mod time_to_stop;
/// Random sequences of socket calls.
mod torture;
/// What has broken other interposers.
mod traps;
/// Processes of a worker that listen without the preloaded library.
mod uncovered;
/// Programs that accept without the C library.
mod uring;
/// How long commands wait, what they say then, and Ctrl-C.
mod waiting;
/// New connections once the supervisor has been killed.
mod without_supervisor;
/// What a worker is given at its start.
mod worker_env;
/// Servers that outlive the process that started them.
mod wrappers;
