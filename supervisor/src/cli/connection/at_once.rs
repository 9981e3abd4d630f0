//! An order to several clusters, given to all at the same time: one that fails or takes long does not hold up others.

use crate::api::{Command, Target};
use crate::cli::connection::client::Client;
use crate::cli::connection::target::Found;
use crate::cli::connection::waiting::carry_out;
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::Failed;
use crate::io::events::interrupt::Interrupt;

/// Gives each of them the order that is made for it, and prints a line for each.
pub(in crate::cli) fn order(
    found: Vec<Found>,
    command: impl Fn(&Target) -> Command + Sync,
) -> Result<(), Failed> {
    each(found, |client, label, target| carry_out(client, label, &command(target)))
}

/// Does the same with each of them at the same time. What is wrong with one of several is told here, and the exit code says so.
pub(in crate::cli) fn each(
    found: Vec<Found>,
    act: impl Fn(&mut Client, &str, &Target) -> Result<(), Failed> + Sync,
) -> Result<(), Failed> {
    if found.len() == 1 {
        return found.into_iter().try_for_each(|one| act(&mut one.client?, &one.label, &one.target));
    }
    // Before the threads are started: Ctrl-C is for those who wait in them.
    let _interrupt = Interrupt::new();
    let ends: Vec<Option<u8>> = std::thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> =
            found.into_iter().map(|one| scope.spawn(move || one_of_several(one, act))).collect();
        // A panic ends the process.
        threads.into_iter().map(|thread| thread.join().unwrap_or(None)).collect()
    });
    end(ends)
}

/// The same with one after the other, in their order.
pub(in crate::cli) fn in_turn(
    found: Vec<Found>,
    act: impl Fn(&mut Client, &str, &Target) -> Result<(), Failed>,
) -> Result<(), Failed> {
    end(found.into_iter().map(|one| one_of_several(one, &act)).collect())
}

/// Tells what is wrong under its name; returns the exit code then.
fn one_of_several(
    Found { label, target, client, .. }: Found,
    act: impl Fn(&mut Client, &str, &Target) -> Result<(), Failed>,
) -> Option<u8> {
    let failed = client.and_then(|mut client| act(&mut client, &label, &target)).err()?;
    if let Some(message) = &failed.message {
        complain(format_args!("{label}: {message}"));
    }
    Some(failed.code)
}

fn end(codes: Vec<Option<u8>>) -> Result<(), Failed> {
    match code(codes.into_iter().flatten()) {
        0 => Ok(()),
        code => Err(Failed::silent(code)),
    }
}

/// The exit code where these failed: theirs if it is the same one, else that of any failure; 0 for none.
pub(in crate::cli) fn code(failed: impl IntoIterator<Item = u8>) -> u8 {
    let mut failed = failed.into_iter();
    let Some(first) = failed.next() else { return 0 };
    if failed.all(|code| code == first) { first } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Action;
    use crate::cli::connection::client::tests::Script;

    #[test]
    fn the_code_of_all_or_of_any_failure() {
        for (codes, expected) in [(&[][..], 0), (&[3], 3), (&[3, 3], 3), (&[3, 4], 1), (&[5, 5, 1], 1)] {
            assert_eq!(code(codes.iter().copied()), expected, "{codes:?}");
        }
    }

    #[test]
    fn one_that_fails_does_not_hold_up_the_others() {
        let (good, bad) = (Script::new(&["{\"v\":1,\"ok\":true}\n"]), Script::new(&[""]));
        let absent = Failed::new(3, "no cluster \"x\"");
        let target = Target::Worker("1".to_owned());
        let found = [("a", Ok(bad.client())), ("x", Err(absent)), ("b", Ok(good.client()))];
        let found = found.map(|(label, client)| Found {
            label: label.to_owned(),
            name: None,
            target: target.clone(),
            client,
        });
        let cordon =
            |target: &Target| Command { action: Action::Cordon { target: target.clone() }, wait_ms: None };
        assert_eq!(order(found.into(), cordon), Err(Failed::silent(1)));
        assert_eq!(good.heard(), [r#"{"v":1,"do":"cordon","target":{"worker":"1"}}"#]);
    }
}
