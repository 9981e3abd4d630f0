//! Which limits of systemd a unit can have for certain: only those that what runs there does not notice. Each is left out where the
//! options show that it would be noticed.

/// Where changing something is forbidden by `ProtectSystem=full`.
const OF_SYSTEM: [&str; 4] = ["/usr", "/etc", "/boot", "/efi"];
/// The same by `ProtectHome=`.
const OF_PEOPLE: [&str; 3] = ["/home", "/root", "/run/user"];

/// What is known of those who run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// Folders in which programs run.
    pub(crate) folders: Vec<String>,
    /// The home of the user who they run as, where programs keep caches.
    pub(crate) home: String,
    /// Words of commands, values of options and variables.
    pub(crate) words: Vec<String>,
}

/// What can be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hardening {
    pub(crate) private_tmp: bool,
    pub(crate) protect_system: bool,
    pub(crate) protect_home: bool,
}

impl Hardening {
    pub(crate) fn of(surroundings: &Surroundings) -> Self {
        let Surroundings { folders, home, words } = surroundings;
        let named = |what: &str| words.iter().chain(folders).any(|word| word.contains(what));
        let works_in = |places: &[&str]| folders.iter().any(|folder| is_below(folder, places));
        Self {
            private_tmp: !named("/tmp"),
            protect_system: !works_in(&OF_SYSTEM),
            protect_home: !is_below(home, &OF_PEOPLE)
                && !works_in(&OF_PEOPLE)
                && !OF_PEOPLE.iter().any(|place| named(&format!("{place}/"))),
        }
    }

    /// The lines of the unit.
    pub(super) fn lines(self) -> String {
        let mut text = [
            line(
                self.private_tmp,
                "PrivateTmp=yes",
                "# A /tmp of its own. Take it away if programs meet others there, as by a unix socket below /tmp.",
                "# PrivateTmp= is not set, because something below /tmp is named.",
            ),
            line(
                self.protect_system,
                "ProtectSystem=full",
                "# Nothing here may change /usr, /etc and /boot.",
                "# ProtectSystem= is not set, because something runs in a folder of the system.",
            ),
            line(
                self.protect_home,
                "ProtectHome=read-only",
                "# Nothing here may change what is in /home, /root and /run/user.",
                "# ProtectHome= is not set, because the home of the user or a folder of the programs is there.",
            ),
        ]
        .concat();
        text.push_str(
            "# Not set on purpose, and not to be added unless you know what runs here: MemoryDenyWriteExecute= ends\n\
             # compilers at run time, such as those of Node and Java; SystemCallFilter=, RestrictAddressFamilies= and\n\
             # ProtectProc= take from clustermon what it does its work with; NoNewPrivileges= ends sudo and sendmail.\n",
        );
        text
    }
}

/// The line below its reason, or why it is not there.
fn line(is_set: bool, line: &str, why: &str, otherwise: &str) -> String {
    if is_set { format!("{why}\n{line}\n") } else { format!("{otherwise}\n") }
}

fn is_below(path: &str, places: &[&str]) -> bool {
    places
        .iter()
        .any(|place| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(folder: &str, home: &str, words: &[&str]) -> [bool; 3] {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let surroundings = Surroundings { folders: vec![folder.to_owned()], home: home.to_owned(), words };
        let Hardening { private_tmp, protect_system, protect_home } = Hardening::of(&surroundings);
        [private_tmp, protect_system, protect_home]
    }

    #[test]
    fn nothing_that_would_be_noticed() {
        assert_eq!(of("/srv/web", "/var/www", &["/usr/bin/node", "a.js"]), [true; 3]);
        assert_eq!(of("/srv/web", "/home/deploy", &[]), [true, true, false]);
        assert_eq!(of("/home/deploy/web", "/var/www", &[]), [true, true, false]);
        assert_eq!(of("/srv/web", "/var/www", &["--log=/root/x"]), [true, true, false]);
        assert_eq!(of("/homes/web", "/var/www", &[]), [true; 3]);
        assert_eq!(of("/etc/apps", "/var/www", &[]), [true, false, true]);
        assert_eq!(of("/usr", "/var/www", &[]), [true, false, true]);
        assert_eq!(of("/srv/web", "/var/www", &["unix:/var/tmp/a.sock"]), [false, true, true]);
    }

    #[test]
    fn each_line_has_its_reason() {
        let all = Hardening { private_tmp: true, protect_system: true, protect_home: true }.lines();
        for line in ["\nPrivateTmp=yes\n", "\nProtectSystem=full\n", "\nProtectHome=read-only\n"] {
            assert!(all.contains(line), "{all}");
        }
        assert!(Hardening::default().lines().lines().all(|line| line.starts_with("# ")));
    }
}
