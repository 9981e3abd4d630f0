//! In which order apps start: each after those that it names under `after`, else as they stand in the file. It finds names that are none,
//! and circles.

use super::app::App;
use super::fault::Fault;
use crate::spelling::nearest;

/// The apps in their order. `known` are all names that there are, also of apps that are at fault.
pub(super) fn sorted(apps: Vec<App>, known: &[String], faults: &mut Vec<Fault>) -> Vec<App> {
    for app in &apps {
        for (name, span) in &app.after {
            if *name == app.name {
                faults.push(Fault::new(span.clone(), "an app cannot start after itself", ""));
            } else if !known.contains(name) {
                let near = nearest(name, known.iter().map(String::as_str));
                let advice = near.map_or_else(
                    || format!("there are {}", known.join(", ")),
                    |near| format!("did you mean \"{near}\"?"),
                );
                faults.push(Fault::new(span.clone(), format!("there is no app {name:?}"), advice));
            }
        }
    }
    let mut waiting = apps;
    let mut sorted: Vec<App> = Vec::new();
    loop {
        // What waits for none that is still to come.
        let is_free = |app: &App| {
            app.after
                .iter()
                .all(|(name, _)| *name == app.name || waiting.iter().all(|other| other.name != *name))
        };
        match waiting.iter().position(is_free) {
            Some(at) => sorted.push(waiting.remove(at)),
            None => break,
        }
    }
    if let Some(first) = waiting.first() {
        let names: Vec<_> = waiting.iter().map(|app| app.name.as_str()).collect();
        let span = first.after.first().map_or(first.span.clone(), |(_, span)| span.clone());
        let what = format!("no app of {} can start first", names.join(", "));
        faults.push(Fault::new(span, what, "each is to start after another of them"));
    }
    sorted.extend(waiting);
    sorted
}
