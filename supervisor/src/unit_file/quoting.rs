//! Words and paths as a unit of systemd has them: what it would take for a variable, a specifier or an escape is written so that the
//! program gets what was meant. What cannot be written is refused.

/// A word of `ExecStart=` behind the program, in which systemd also replaces variables.
pub(super) fn argument(word: &str) -> String {
    quoted(word, true)
}

/// A word of `Environment=`, in which `$` means nothing.
pub(super) fn assignment(word: &str) -> String {
    quoted(word, false)
}

/// The first word of `ExecStart=`: a path, of which systemd takes `$` as it is, and refuses what it holds to be no path.
pub(super) fn program(path: &str) -> Result<String, String> {
    check(path)?;
    if path.contains(['"', '\'', '\\', '$']) {
        return Err(format!(
            "{path:?} cannot be the program of a unit: systemd takes no quotes, $ and \\ there"
        ));
    }
    Ok(quoted(path, false))
}

/// A path that is the whole value, as of `WorkingDirectory=`: it has no quotes and no escapes.
pub(super) fn path(path: &str) -> Result<String, String> {
    check(path)?;
    if path.ends_with(['\\', ' ']) {
        return Err(format!("{path:?} cannot be written in a unit: it ends with a space or \\"));
    }
    Ok(text(path))
}

/// Text for people, in which only specifiers mean something.
pub(super) fn text(text: &str) -> String {
    text.replace('%', "%%")
}

fn check(path: &str) -> Result<(), String> {
    if !path.starts_with('/') || path.contains(char::is_control) {
        return Err(format!(
            "{path:?} cannot be written in a unit: it is not absolute, or holds control characters"
        ));
    }
    Ok(())
}

fn quoted(word: &str, has_variables: bool) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_@:/.,+=-".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    let mut text = String::from('"');
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '%' => text.push_str("%%"),
            '$' if has_variables => text.push_str("$$"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            letter if letter.is_ascii_control() => text.push_str(&format!("\\x{:02x}", u32::from(letter))),
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What systemd makes of a value, by its manual (systemd.syntax, systemd.service, systemd.unit): words with quotes and C escapes,
    /// then specifiers, then variables, of which none is set.
    fn read(value: &str) -> Vec<String> {
        let mut words = Vec::new();
        let mut letters = value.chars().peekable();
        while let Some(first) = letters.peek() {
            if *first == ' ' {
                letters.next();
                continue;
            }
            let mut word = String::new();
            let mut quote = None;
            while let Some(letter) = letters.next() {
                match letter {
                    '\\' => word.push(match letters.next().unwrap() {
                        'n' => '\n',
                        't' => '\t',
                        'x' => {
                            let digits: String = letters.by_ref().take(2).collect();
                            char::from(u8::from_str_radix(&digits, 16).unwrap())
                        }
                        same @ ('"' | '\\') => same,
                        other => panic!("an escape that is none: {other:?}"),
                    }),
                    letter if Some(letter) == quote => quote = None,
                    '"' | '\'' if quote.is_none() => quote = Some(letter),
                    ' ' if quote.is_none() => break,
                    letter => word.push(letter),
                }
            }
            assert_eq!(quote, None, "{value}");
            words.push(without(&without(&word, '%'), '$'));
        }
        words
    }

    /// Two of them are one; a single one would mean something else.
    fn without(word: &str, special: char) -> String {
        let mut text = String::new();
        let mut letters = word.chars();
        while let Some(letter) = letters.next() {
            if letter == special {
                assert_eq!(letters.next(), Some(special), "{word}");
            }
            text.push(letter);
        }
        text
    }

    #[test]
    fn what_means_something_to_systemd() {
        for (word, expected) in [
            ("--port=80", "--port=80"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            ("100%", r#""100%%""#),
            ("$HOME", r#""$$HOME""#),
            ("${X}", r#""$${X}""#),
            (r"a\b", r#""a\\b""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            ("it's", r#""it's""#),
            (";", r#"";""#),
            ("a\n\tb\x1b", r#""a\n\tb\x1b""#),
            ("é", r#""é""#),
        ] {
            assert_eq!(argument(word), expected);
        }
        assert_eq!(assignment("PATH=/a b:/$x"), r#""PATH=/a b:/$x""#);
        assert_eq!(path("/srv/a b/50%").unwrap(), "/srv/a b/50%%");
        assert_eq!(program("/opt/a b/c").unwrap(), r#""/opt/a b/c""#);
        for odd in ["srv", "/a\nb", "/a\\", "/a "] {
            assert!(path(odd).is_err(), "{odd:?}");
        }
        for odd in ["clustermon", "/a$b", "/a\"b", "/a\\b", "/a\tb"] {
            assert!(program(odd).is_err(), "{odd:?}");
        }
    }

    proptest! {
        #[test]
        fn every_word_arrives(words in prop::collection::vec("[ -~\\n\\t\\x01é漢]{0,12}", 1..5)) {
            let value: Vec<_> = words.iter().map(|word| argument(word)).collect();
            prop_assert!(value.iter().all(|word| !word.contains('\n')));
            prop_assert_eq!(read(&value.join(" ")), words);
        }

        #[test]
        fn so_does_every_path(tail in "[ -~]{0,20}") {
            let given = format!("/{tail}");
            if let Ok(value) = path(&given) {
                prop_assert_eq!(without(value.trim(), '%'), given.clone());
            }
            if let Ok(value) = program(&given) {
                prop_assert_eq!(read(&value), [given]);
            }
        }
    }
}
