//! What `describe` tells of a cluster and of a worker, and what `inspect` tells programs of the same.

use harness::{Cluster, Options, PATIENCE, app, thunk, wait_until};

#[test]
fn a_cluster_tells_how_it_was_started_and_what_became_of_it() {
    let Some(app) = app("c-epoll") else { return };
    let flags = "--pulse 50ms --restart-delay 1ms --stop-timeout 10s --env-file ./env";
    let folder = harness::TempDir::new();
    std::fs::write(folder.path().join("env"), "TOKEN=s3cret\n").expect("the folder is ours");
    let flags = flags.replace("./env", &folder.path().join("env").display().to_string());
    let mut cluster = Cluster::start(&app, Options::workers(2).flags(&flags));
    let found = cluster.inspect();
    assert_eq!(found["options"]["workers"], "2");
    assert_eq!(found["options"]["pulse"], "50ms");
    assert_eq!(found["thunk"], thunk().display().to_string());
    assert!(found["control"].as_str().is_some_and(|path| path.ends_with("/run/epoll.sock")), "{found}");
    harness::signal(cluster.started()["1"], libc::SIGKILL);
    cluster.wait_ready(3);
    wait_until("a pulse has come", PATIENCE, || cluster.order("describe").contains("% of a processor"));
    let text = cluster.order("describe epoll");
    let version = found["version"].as_str().expect("it says so");
    for part in [
        "epoll: running, pid ",
        "\ncommand    ",
        "\ndirectory  ",
        "\noptions    --",
        "           --pulse 50ms\n",
        "           --workers 2\n",
        &format!("\nversions   clustermon {version}\n"),
        &format!("library {}, protocol ", thunk().display()),
        "/run/epoll.sock\n",
        &format!("\naddresses  {}: running, dispatch ", cluster.target()),
        "\nrestarts   1: 1 of worker 1\n",
        "\nlast ends  worker 1: signal SIGKILL (not known who sent it); its process is up ",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(!text.contains("s3cret") && !found.to_string().contains("s3cret"), "{text}");
    let text = cluster.order("show /1");
    for part in
        ["epoll/1: running, pid ", "\nrestarts     1\n", "\nlast end     signal SIGKILL", "\nserves       "]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(cluster.cli("describe nobody").refusal(3).contains("no cluster \"nobody\""));
    assert!(cluster.cli("describe epol").refusal(3).contains("did you mean epoll?"));
    cluster.stop();
}
