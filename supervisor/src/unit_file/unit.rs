//! The text of a unit, with the reason beside each line that has one.

use super::hardening::Hardening;
use super::name::mark;
use super::quoting::{argument, assignment, path, program, text};
use std::fmt::Write;
use std::time::Duration;

/// Everything that a unit says.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// For what it is: a file of apps, or a cluster and its folder.
    pub(crate) source: String,
    pub(crate) description: String,
    pub(crate) name: String,
    pub(crate) whose: Whose,
    /// Absolute.
    pub(crate) folder: String,
    /// clustermon, and what it is told.
    pub(crate) program: String,
    pub(crate) words: Vec<String>,
    pub(crate) reload: Reload,
    /// From the order to stop until all is over; `None` is for ever.
    pub(crate) stop: Option<Duration>,
    /// Where programs are looked for, if systemd would not look there by itself.
    pub(crate) path: Option<String>,
}

/// Whose service manager starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The system's; as root unless there is another user.
    System { user: Option<Account>, hardening: Hardening },
    /// The one of the user.
    User,
}

/// A user of the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
}

/// How it is reloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reload {
    /// What clustermon is told, for each cluster: the answer is waited for.
    Commands(Vec<Vec<String>>),
    /// By SIGHUP, where a cluster has no control socket.
    Signal,
    /// The same by systemd itself, which is told when the reload is over (253 and later).
    Notify,
}

impl Unit {
    /// The text, or what of this cannot be in a unit.
    pub(crate) fn text(&self) -> Result<String, String> {
        let program = program(&self.program)?;
        let line = |words: &[String]| {
            let words: Vec<_> = words.iter().map(|word| argument(word)).collect();
            format!("{program} {}", words.join(" "))
        };
        if self.source.contains(char::is_control) || self.source.ends_with('\\') {
            return Err(format!("{:?} cannot be written in a unit", self.source));
        }
        let mut unit = format!(
            "{}\n# Write it again when that has changed. Lines of your own: systemctl edit {}\n\n[Unit]\nDescription={}\n",
            mark(&self.source),
            self.name,
            text(&self.description)
        );
        if matches!(self.whose, Whose::System { .. }) {
            unit.push_str(
                "# Addresses to listen on, and other machines, may be there only then.\n\
                 Wants=network-online.target\nAfter=network-online.target\n",
            );
        }
        unit.push_str(
            "# Where something else has to be there first it is tried again for as long as that takes.\n\
             StartLimitIntervalSec=0\n\n[Service]\n",
        );
        unit.push_str(match self.reload {
            Reload::Notify => {
                "# SIGHUP reloads; `systemctl reload` waits until that is over.\nType=notify-reload\n"
            }
            Reload::Commands(_) | Reload::Signal => "Type=notify\n",
        });
        // Formatting into a string cannot fail.
        let mut set = |key: &str, value: &str| {
            let _ = writeln!(unit, "{key}={value}");
        };
        if let Whose::System { user: Some(user), .. } = &self.whose {
            set("User", &text(&user.name));
        }
        set("WorkingDirectory", &path(&self.folder)?);
        if let Some(folders) = &self.path {
            set("Environment", &assignment(&format!("PATH={folders}")));
        }
        set("ExecStart", &line(&self.words));
        match &self.reload {
            Reload::Commands(all) => all.iter().for_each(|words| set("ExecReload", &line(words))),
            Reload::Signal => set("ExecReload", "/bin/kill -HUP $MAINPID"),
            Reload::Notify => {}
        }
        unit.push_str(&self.place());
        let stop = match self.stop {
            Some(limit) => format!(
                "# By then everything has ended, by the options that say how long a stop may take.\nTimeoutStopSec={}\n",
                limit.as_millis().div_ceil(1000)
            ),
            None => {
                "# A worker is given for ever to stop, by the options.\nTimeoutStopSec=infinity\n".to_owned()
            }
        };
        unit.push_str(&stop);
        unit.push_str(RULES);
        match &self.whose {
            Whose::System { hardening, .. } => {
                let _ = write!(unit, "{}\n[Install]\nWantedBy=multi-user.target\n", hardening.lines());
            }
            Whose::User => unit.push_str("\n[Install]\nWantedBy=default.target\n"),
        }
        Ok(unit)
    }

    /// Where the control sockets are: where commands look that the same user gives from a shell.
    fn place(&self) -> String {
        match &self.whose {
            Whose::System { user: Some(user), .. } => format!(
                "# Control sockets: where commands of {} look from any shell. Other units and shells have theirs there, too.\n\
                 RuntimeDirectory=clustermon-{}\nRuntimeDirectoryMode=0700\nRuntimeDirectoryPreserve=yes\n\
                 # To listen below port 1024:\n#AmbientCapabilities=CAP_NET_BIND_SERVICE\n",
                text(&user.name),
                user.uid
            ),
            Whose::System { user: None, .. } => {
                "# RuntimeDirectory= is not set: control sockets are in /run/clustermon, where root's commands look.\n"
                    .to_owned()
            }
            Whose::User => "# RuntimeDirectory= is not set: control sockets are in $XDG_RUNTIME_DIR/clustermon, where your commands look.\n"
                .to_owned(),
        }
    }
}

/// What every unit says.
const RULES: &str = "\
# clustermon itself says when a start or a reload has failed.
TimeoutStartSec=infinity
# SIGTERM is for clustermon alone, so that workers drain; what is left at the end gets SIGKILL.
KillMode=mixed
# A worker that is killed for its memory is replaced, and the others go on.
OOMPolicy=continue
# systemd leaves cgroups alone that are made in here.
Delegate=yes
# Not where it was told to stop; nor where options or commands are at fault, which the next try would find again.
Restart=on-failure
RestartSec=5
RestartPreventExitStatus=2
# clustermon says that it lives, and is started again if it does not.
WatchdogSec=60
# clustermon takes the second number for itself, workers begin with the first.
LimitNOFILE=65536:524288
";

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn unit(whose: Whose) -> Unit {
        Unit {
            source: "/srv/shop/clustermon.toml".into(),
            description: "100% shop".into(),
            name: "clustermon-shop".into(),
            whose,
            folder: "/srv/my shop".into(),
            program: "/usr/bin/clustermon".into(),
            words: vec!["up".into(), "/srv/my shop/clustermon.toml".into()],
            reload: Reload::Commands(vec![words("reload db"), words("reload web")]),
            stop: Some(Duration::from_millis(30_001)),
            path: None,
        }
    }

    /// That these lines are there, whole.
    #[track_caller]
    fn has(text: &str, lines: &[&str]) {
        for line in lines {
            assert!(text.lines().any(|other| other == *line), "{line} is not in:\n{text}");
        }
    }

    #[test]
    fn of_the_system() {
        let user = Some(Account { name: "deploy".into(), uid: 1000 });
        let whose = Whose::System { user, hardening: Hardening::default() };
        let text = unit(whose).text().unwrap();
        assert!(text.starts_with("# Written by `clustermon unit` for /srv/shop/clustermon.toml\n"), "{text}");
        has(
            &text,
            &[
                "Description=100%% shop",
                "User=deploy",
                "WorkingDirectory=/srv/my shop",
                r#"ExecStart=/usr/bin/clustermon up "/srv/my shop/clustermon.toml""#,
                "ExecReload=/usr/bin/clustermon reload db",
                "ExecReload=/usr/bin/clustermon reload web",
                "RuntimeDirectory=clustermon-1000",
                "TimeoutStopSec=31",
                "KillMode=mixed",
                "WantedBy=multi-user.target",
            ],
        );
    }

    #[test]
    fn of_root_and_of_a_user() {
        let root = unit(Whose::System { user: None, hardening: Hardening::default() }).text().unwrap();
        assert!(!root.contains("\nUser=") && !root.contains("\nRuntimeDirectory="), "{root}");
        let more = Unit {
            stop: None,
            reload: Reload::Signal,
            path: Some("/opt/50% off/bin:/bin".into()),
            ..unit(Whose::User)
        };
        let text = more.text().unwrap();
        has(
            &text,
            &[
                "TimeoutStopSec=infinity",
                "ExecReload=/bin/kill -HUP $MAINPID",
                r#"Environment="PATH=/opt/50%% off/bin:/bin""#,
                "WantedBy=default.target",
            ],
        );
        let text = Unit { reload: Reload::Notify, ..unit(Whose::User) }.text().unwrap();
        has(&text, &["Type=notify-reload"]);
        assert!(!text.contains("ExecReload="), "{text}");
        assert!(!text.contains("network-online") && !text.contains("Protect"), "{text}");
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let whole = unit(Whose::User);
        for odd in [
            Unit { source: "/a\nExecStart=/bin/rm".into(), ..whole.clone() },
            Unit { source: "/a\\".into(), ..whole.clone() },
            Unit { folder: "/a\nUser=root".into(), ..whole.clone() },
            Unit { program: "clustermon".into(), ..whole },
        ] {
            assert!(odd.text().is_err(), "{odd:?}");
        }
    }
}
