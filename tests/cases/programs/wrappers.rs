//! Programs that leave their server behind: wrappers that end before it, and those that go into the background.

use harness::{App, Cluster, Options, Pid, app, ask_in_turn, c_program, is_alive, signal, wait_for_ids};

/// What a shell is told to do with the server, `$0`.
const WAYS: [&str; 3] =
    ["\"$0\" & exit 0", "setsid \"$0\" & exit 0", "(setsid sh -c '\"$0\" & exit 0' \"$0\" &); exit 0"];

fn start(way: &str) -> Option<(Cluster, App)> {
    let app = app("c-epoll")?;
    let server = c_program("epoll", &[]).into_os_string();
    let command = ["sh".into(), "-c".into(), way.into(), server];
    Some((Cluster::start_command(&command, Options::workers(2).flags("--restart-delay 1ms")), app))
}

fn servers(cluster: &Cluster, app: &App) -> Vec<Pid> {
    let mut pids: Vec<_> = ask_in_turn(&cluster.target(), app, 4).iter().map(|who| who.pid).collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

#[test]
fn what_a_wrapper_leaves_is_the_worker() {
    for way in WAYS {
        let Some((cluster, app)) = start(way) else { return };
        wait_for_ids(&cluster.target(), &app, 2);
        let servers = servers(&cluster, &app);
        assert_eq!(servers.len(), 2, "one for each worker");
        assert_eq!(cluster.log().count(" exited: "), 0, "{way}");
        cluster.stop();
        assert!(servers.iter().all(|pid| !is_alive(*pid)));
    }
}

#[test]
fn its_end_is_the_end_of_the_worker() {
    for way in WAYS {
        let Some((mut cluster, app)) = start(way) else { return };
        let before = servers(&cluster, &app);
        signal(before[0], libc::SIGSEGV);
        cluster.wait_ready(3);
        cluster.log().wait_for(" exited: signal SIGSEGV");
        wait_for_ids(&cluster.target(), &app, 2);
        assert!(!servers(&cluster, &app).contains(&before[0]));
        cluster.stop();
    }
}
