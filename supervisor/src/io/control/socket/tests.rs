//! Sockets in a directory that is removed with the last of them.

use super::*;
use crate::io::scratch::Scratch;

fn home(scratch: &Scratch, given: bool) -> Home {
    Home { path: scratch.path().join("home"), given }
}

fn opened(home: &Home, name: &str) -> Socket {
    let socket = Socket::open_in_home(home, name, true, Uid::effective());
    socket.unwrap_or_else(|refusal| match refusal {
        Refusal::Taken(pid) => panic!("taken by {pid:?}"),
        Refusal::Removed => panic!("removed"),
        Refusal::Other(why) => panic!("{why}"),
    })
}

#[test]
fn the_last_one_removes_the_directory() {
    let scratch = Scratch::new();
    let home = home(&scratch, false);
    let (first, second) = (opened(&home, "a"), opened(&home, "b"));
    drop(first);
    assert!(second.path.exists());
    drop(second);
    assert!(!home.path.exists());
}

#[test]
fn one_that_was_given_stays() {
    let scratch = Scratch::new();
    let home = home(&scratch, true);
    drop(opened(&home, "a"));
    assert!(home.path.exists());
}

#[test]
fn one_that_is_removed_meanwhile_is_made_anew() {
    let scratch = Scratch::new();
    let home = home(&scratch, false);
    // Each removes it again and again while the others open it.
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let home = &home;
            scope.spawn(move || {
                for _ in 0..200 {
                    let socket = opened(home, name);
                    assert!(socket.path.exists());
                }
            });
        }
    });
    assert!(!home.path.exists());
}
