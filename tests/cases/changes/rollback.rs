//! Reloads that fail after some workers were replaced, where the kernel chooses: the others serve on, and those that were replaced go back.

use crate::dispatch::kernel::levels::{LEVELS, PATIENT, has};
use harness::{Deployment, Load, Options, PATIENCE, c_program, require, wait_until, who};
use std::collections::BTreeSet;
use std::path::Path;

const SOON: &str = "--min-healthy-time 50ms --idle-grace 100ms";

/// A script that becomes this program, which calls itself by its logical id and the version.
fn server(program: &Path, version: &str) -> String {
    format!("PROCESS_LOGICAL_ID=$PROCESS_LOGICAL_ID-{version} exec {}\n", program.display())
}

#[track_caller]
fn goes_back(program: &Path, flags: &str) {
    for level in LEVELS.into_iter().filter(|level| has(level)) {
        let good = server(program, "good");
        let deployment = Deployment::new("good", &good);
        let options = Options::workers(3).flags(SOON).flags(PATIENT).flags(flags).flags("--rollback all");
        let cluster = deployment.start(options.env("CLUSTERMON_STEERING", level));
        let load = Load::start(&cluster.target(), 4, "/");
        wait_until("the clients are at it", PATIENCE, || load.done() > 20);
        let half = "[ $PROCESS_LOGICAL_ID != 2 ] || { echo not for two >&2; exit 3; }\n";
        deployment.deploy("half", &format!("{half}{}", server(program, "half")));
        let said = cluster.cli("reload --wait");
        assert_eq!(said.code, Some(5), "{level}: {said:?}");
        assert!(
            said.err.contains("the new worker 2 exited: code 3") && said.err.contains("are back"),
            "{said:?}"
        );
        let seen: BTreeSet<_> = load.finish_unharmed().into_iter().map(|who| who.id).collect();
        assert!(!seen.contains("2-half"), "{seen:?}");
        let wanted = ["0-good", "1-good", "2-good"].map(str::to_owned).into();
        let mut names = BTreeSet::new();
        wait_until("all answer as before", PATIENCE, || {
            names.insert(who(&cluster.target()).expect("an answer").id);
            names.is_superset(&wanted)
        });
        assert_eq!(names, wanted, "{level}");
        cluster.stop();
    }
}

#[test]
fn of_programs_with_the_library() {
    if require("cc") {
        goes_back(&c_program("leaves", &[]), "--dispatch kernel");
    }
}

#[test]
fn of_programs_with_the_filter() {
    if require("cc") {
        goes_back(&c_program("leaves", &["-static"]), "--intercept seccomp");
    }
}
