//! What `status` says of how a cluster was started: a line each for the command, its directory and the log.

use crate::api::Launch;
use crate::cli::output::shell::quoted;
use crate::cli::views::trouble;
use crate::io::output::plain::Plain;
use std::ffi::OsStr;

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
    launch.command.iter().map(|word| quoted(OsStr::new(word))).collect::<Vec<_>>().join(" ")
}

pub(in crate::cli) fn log(launch: &Launch) -> Option<String> {
    let log = launch.log.clone()?;
    Some(trouble::log(launch).map_or_else(|| log.clone(), |trouble| format!("{log}: {trouble}")))
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
            intercept: Some("seccomp".to_owned()),
            intercept_reason: Some("it is static".to_owned()),
            ..Launch::default()
        };
        let expected = "command: node 'my server.js' --port=80\ndirectory: /srv/a\\nb\nlog: /var/log/web.log\nintercept: seccomp: it is static\n";
        assert_eq!(lines(&launch), expected);
        let launch = Launch { intercept: Some("preload".to_owned()), ..Launch::default() };
        assert_eq!(lines(&launch), "", "as with most");
    }
}
