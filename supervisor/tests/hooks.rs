//! Hooks that use the cluster that calls them, or let go of it.

mod common;

use clustermon::{Cluster, Environment};
use common::{LIMIT, demo, port};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn a_hook_may_look_at_the_cluster_while_it_starts() {
    let known: Arc<Mutex<Option<Cluster>>> = Arc::default();
    let (seen, sees) = channel();
    let (port, handle) = (port(), known.clone());
    let cluster = Cluster::builder([demo()])
        .workers(1)
        .environment(move |_| {
            if let Some(cluster) = &*handle.lock().unwrap() {
                // Neither may wait for the loop, whose thread this is.
                let started = cluster.start().is_ok();
                seen.send((cluster.inspect().pid, started)).unwrap();
            }
            Environment::Inherited(vec![("PORT".into(), port.to_string().into())])
        })
        .start()
        .unwrap();
    cluster.stop();
    cluster.wait().unwrap();
    *known.lock().unwrap() = Some(cluster.clone());
    let (done, is_done) = channel();
    let again = cluster.clone();
    let starter = std::thread::spawn(move || {
        again.start().unwrap();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(LIMIT).expect("the start ends although the hook asks");
    starter.join().unwrap();
    assert_eq!(sees.recv_timeout(LIMIT).unwrap(), (std::process::id(), true));
    known.lock().unwrap().take();
}

#[test]
fn a_hook_may_let_go_of_the_cluster() {
    let last: Arc<Mutex<Option<Cluster>>> = Arc::default();
    let (gone, is_gone) = channel::<()>();
    let (port, handle) = (port(), last.clone());
    let cluster = Cluster::builder([demo()])
        .workers(1)
        .pulse(Duration::from_millis(20))
        .environment(move |_| Environment::Inherited(vec![("PORT".into(), port.to_string().into())]))
        .on_health(move |_, _| {
            // Dropped with the cluster's hooks, once the loop has ended.
            let _ = &gone;
            drop(handle.lock().unwrap().take());
            true
        })
        .start()
        .unwrap();
    *last.lock().unwrap() = Some(cluster);
    assert_eq!(is_gone.recv_timeout(LIMIT), Err(RecvTimeoutError::Disconnected), "it stops and ends");
}
