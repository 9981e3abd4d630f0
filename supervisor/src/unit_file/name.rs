//! What a unit is called, and which files of units are clustermon's own: their first line says for what each was written.

/// How the first line of each begins.
const MARK: &str = "# Written by `clustermon unit` for ";
/// No name that people give is longer, and systemd takes 255.
const LONGEST: usize = 128;

/// The name of a unit without `.service`. The prefix keeps it apart from units of the system: an app may be called redis.
pub(crate) fn name(subject: &str) -> String {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let clean = |letter: char| if is_allowed(letter) { letter } else { '-' };
    let cleaned: String = subject.chars().map(clean).take(LONGEST).collect();
    let cleaned = cleaned.trim_matches(['-', '.']);
    if cleaned.is_empty() { "clustermon-apps".to_owned() } else { format!("clustermon-{cleaned}") }
}

/// The first line of a unit for this.
pub(super) fn mark(source: &str) -> String {
    format!("{MARK}{source}")
}

/// Whether a unit that is there may be written anew by this text; if not, why.
pub(crate) fn is_ours(there: &str, text: &str) -> Result<(), String> {
    let first = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    match first(there).strip_prefix(MARK) {
        _ if first(there) == first(text) => Ok(()),
        Some(other) => Err(format!("it is the unit for {other}")),
        None => Err("it was not written by clustermon".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for (subject, expected) in [
            ("shop", "clustermon-shop"),
            ("my shop@home", "clustermon-my-shop-home"),
            (".hidden", "clustermon-hidden"),
            ("é", "clustermon-apps"),
            ("", "clustermon-apps"),
        ] {
            assert_eq!(name(subject), expected);
        }
        assert!(name(&"x".repeat(999)).len() < 200);
    }

    #[test]
    fn only_the_unit_of_the_same_is_written_over() {
        let text = format!("{}\n[Unit]\n", mark("/srv/a/clustermon.toml"));
        assert_eq!(is_ours(&format!("{}\n", mark("/srv/a/clustermon.toml")), &text), Ok(()));
        assert!(is_ours(&mark("/srv/b/clustermon.toml"), &text).unwrap_err().contains("/srv/b/"));
        for there in ["", "[Unit]\n", "\n# Written by `clustermon unit` for /srv/a/clustermon.toml"] {
            assert!(is_ours(there, &text).is_err(), "{there:?}");
        }
    }
}
