//! What workers write reaches a terminal only as text, whichever command prints it.

use harness::{Deployment, Options, app};

/// A title, a cleared screen, a C1 control and a change of direction.
const ODD: &str = "\\033]0;title\\007\\033[2J\\302\\2332J\\342\\200\\256x";

#[track_caller]
fn is_plain(text: &str) {
    let odd = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!text.contains(odd), "{text:?}");
}

#[test]
fn of_a_process_that_failed_in_a_reload() {
    let Some(app) = app("c-epoll") else { return };
    let program = app.default_command()[0].display().to_string();
    let deployment = Deployment::new("good", &format!("exec {program}\n"));
    let cluster = deployment.start(Options::workers(1).flags("--min-healthy-time 50ms"));
    deployment.deploy("bad", &format!("printf '{ODD}\\n' >&2; exit 7\n"));
    let said = cluster.cli("reload");
    assert_eq!(said.code, Some(5), "{said:?}");
    let shown = "\\u{1b}]0;title\\u{7}\\u{1b}[2J\\u{9b}2J\\u{202e}x";
    assert!(said.err.contains(&format!("\n  stderr: {shown}\n")), "{said:?}");
    let views = ["status", "inspect", "describe", "describe /0", "list", "logs"].map(|words| {
        let shown = cluster.cli(words);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        shown.out
    });
    for text in views.into_iter().chain([said.err]) {
        is_plain(&text);
    }
    cluster.stop();
}
