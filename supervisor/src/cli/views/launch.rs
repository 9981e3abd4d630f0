//! What `status` says of how a cluster was started: a line each for the command, its directory and the log.

use crate::api::Launch;
use crate::cli::output::shell;
use crate::cli::views::trouble;
use crate::io::output::plain::Plain;

/// The lines; none for what is not known.
pub(in crate::cli) fn lines(launch: &Launch) -> String {
    let known = [
        ("command", Some(command(launch)).filter(|command| !command.is_empty())),
        ("directory", launch.directory.clone()),
        ("log", log(launch)),
        ("intercept", intercept(launch)),
    ];
    let told = known.into_iter().filter_map(|(what, known)| Some((what, known?)));
    told.map(|(what, known)| format!("{what}: {}\n", Plain(&known))).collect()
}

/// As a shell takes it.
pub(in crate::cli) fn command(launch: &Launch) -> String {
    shell::line(&launch.command)
}

/// Where it is, and whether something is wrong with it.
pub(in crate::cli) fn log(launch: &Launch) -> Option<String> {
    match (&launch.log, faults_of_log(launch)) {
        (None, faults) => faults,
        (Some(place), None) => Some(place.clone()),
        (Some(place), Some(faults)) => Some(format!("{place} ({faults})")),
    }
}

/// What is wrong with it: it cannot be written, or lines were lost.
pub(in crate::cli) fn faults_of_log(launch: &Launch) -> Option<String> {
    let lost = match launch.lines_lost {
        0 => None,
        1 => Some("1 line was lost".to_owned()),
        count => Some(format!("{count} lines were lost")),
    };
    let failure = launch.log_failure.as_ref().map(|why| format!("it cannot be written: {why}"));
    // The supervisor knows only once it has something to write.
    let failure = failure.or_else(|| trouble::log(launch).map(str::to_owned));
    let faults: Vec<_> = failure.into_iter().chain(lost).collect();
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// Said where it is not as with most programs.
fn intercept(launch: &Launch) -> Option<String> {
    let how = launch.intercept.as_ref().filter(|how| *how != "preload")?;
    Some(format!("{how}: {}", launch.intercept_reason.as_deref().unwrap_or("it is not said why")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_for_each_that_is_known() {
        assert_eq!(lines(&Launch::default()), "");
        let launch = Launch {
            command: ["node", "my server.js", "--port=80"].map(str::to_owned).into(),
            directory: Some("/srv/a\nb".to_owned()),
            log: Some("/var/log/web.log".to_owned()),
            app_file: None,
            log_failure: None,
            lines_lost: 0,
            intercept: Some("seccomp".to_owned()),
            intercept_reason: Some("it is static".to_owned()),
            ..Launch::default()
        };
        let expected = "command: node 'my server.js' --port=80\ndirectory: /srv/a\\nb\nlog: /var/log/web.log\nintercept: seccomp: it is static\n";
        assert_eq!(lines(&launch), expected);
        let launch = Launch {
            log: Some("/log".to_owned()),
            log_failure: Some("No space left on device".to_owned()),
            lines_lost: 7,
            ..Launch::default()
        };
        let expected = "log: /log (it cannot be written: No space left on device; 7 lines were lost)\n";
        assert_eq!(lines(&launch), expected);
        assert_eq!(lines(&Launch { log: None, log_failure: None, ..launch }), "log: 7 lines were lost\n");
        let launch = Launch { intercept: Some("preload".to_owned()), ..Launch::default() };
        assert_eq!(lines(&launch), "", "as with most");
    }
}
