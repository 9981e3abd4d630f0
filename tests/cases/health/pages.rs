//! The page that workers write their health in, written full of garbage: nobody but its owner is judged by it.

use crate::health::slow::{measured, pass};
use harness::{Cluster, Load, Options, PATIENCE, c_program, require, state, wait_until, who};
use std::time::Duration;

#[test]
fn a_page_of_garbage_harms_nobody_else() {
    if !require("cc") {
        return;
    }
    let options = Options::workers(3)
        .flags("--lag-limit 200ms --hang-limit 600ms --pulse 100ms --min-uptime 1ms --restart-delay 1ms")
        .env("SCRIBBLER", "1");
    let cluster = Cluster::start_command(&[c_program("scribble", &[])], options);
    let before = cluster.started();
    cluster.stdout().wait_for("scribbling");
    let load = Load::start(&cluster.target(), 4, "/");
    pass(Duration::from_secs(5));
    let samples = load.finish();
    let failed: Vec<_> = samples.iter().filter_map(|sample| sample.result.as_ref().err()).collect();
    // Each kill of the scribbler may cost what it had accepted.
    let killed = cluster.log().count("worker 1 exited: ");
    assert!(failed.len() <= 4 * killed, "{failed:?}");
    for id in ["0", "2"] {
        assert_eq!(cluster.log().count(&format!("worker {id} has hung")), 0, "judged by another's page");
        assert_eq!(cluster.log().count(&format!("worker {id} exited")), 0);
        assert_eq!(cluster.started()[id], before[id]);
        cluster.inspect_worker(id);
    }
    assert!(cluster.is_alive() && state(cluster.pid()).is_some());
    assert_eq!(cluster.log().count("panicked"), 0);
    cluster.inspect();
    wait_until("all answer", PATIENCE, || who(&cluster.target()).is_ok());
    let suspected = cluster.log().count("worker 1 has been busy for ");
    measured(&format!(
        "a page scribbled over for 5 s: {} requests answered, the scribbler suspected {suspected} times and replaced \
         {killed} times, nobody else, the supervisor unharmed",
        samples.len() - failed.len()
    ));
    cluster.stop();
}
