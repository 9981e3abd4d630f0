//! Sockets that were bound to port 0 of an address that the cluster shares: how one gets the cluster's port. The port is the supervisor's
//! to choose.

use crate::sockets::owned::{self, CLUSTER_PORT, PORTLESS};
use crate::supervisor::link;
use crate::supervisor::settings::Settings;
use clustermon_protocol::address::Address;
use clustermon_protocol::message::{Reply, Request};
use core::ffi::c_int;

/// Binds a socket to the port that the cluster has for it: the i-th such listener of every worker shares one.
pub(crate) fn bind_any(settings: &Settings, fd: c_int, address: &Address) -> bool {
    let answer = link::ask(settings, &Request::BindAny { address: *address }, Some(fd));
    let done = answer.and_then(|answer| answer.reply().map(|reply| reply == Reply::Errno(0))) == Some(true);
    if done && let Some(cookie) = owned::cookie(fd) {
        PORTLESS.forget(cookie);
        CLUSTER_PORT.remember(cookie);
    }
    done
}
