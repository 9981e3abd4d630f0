//! The rule that unsafe code is argued for directly above it.

use crate::tidy::Fault;
use crate::tidy::reading::code;
use crate::tidy::reading::tree::{Source, Tree};

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in tree.rust() {
        let raw: Vec<&str> = source.text.lines().collect();
        let blanked: Vec<&str> = source.code.lines().collect();
        for line in unsafe_lines(source) {
            if !is_argued(&raw, &blanked, line - 1) {
                faults.push(source.fault(line, "unsafe without `SAFETY:` or `# Safety` directly above"));
            }
        }
    }
    faults
}

/// Lines with an unsafe block, impl or named function. A function pointer's type is no claim.
fn unsafe_lines(source: &Source) -> Vec<usize> {
    let mut lines = Vec::new();
    for (at, line) in code::words(&source.code, "unsafe") {
        let rest = source.code[at + "unsafe".len()..].trim_start();
        let function = rest.strip_prefix("fn").is_some_and(|name| {
            name.starts_with(char::is_whitespace)
                && name.trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_')
        });
        let implementation = rest.strip_prefix("impl").is_some_and(|next| next.starts_with([' ', '<']));
        if rest.starts_with('{') || implementation || function {
            lines.push(line);
        }
    }
    lines.dedup();
    lines
}

/// Walks up over attributes, the comment, and the earlier lines of the same statement.
fn is_argued(raw: &[&str], blanked: &[&str], at: usize) -> bool {
    let argues = |line: &str| line.contains("SAFETY:") || line.contains("# Safety");
    if argues(raw[at]) {
        return true;
    }
    for line in (0..at).rev() {
        let (text, code) = (raw[line].trim(), blanked[line].trim());
        if text.starts_with("//") {
            if argues(text) {
                return true;
            }
        } else if text.is_empty() || (code.ends_with([';', '{', '}', ',']) && !code.starts_with("#[")) {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, lines};

    #[test]
    fn an_argument_is_found() {
        for text in [
            "// SAFETY: fd is open.\nunsafe { f() }\n",
            "// SAFETY: fd is open\n// and ours.\nlet x =\n    unsafe { f() };\n",
            "// SAFETY: no state.\n#[allow(x)]\nunsafe impl Send for A {}\n",
            "/// Frees it.\n/// # Safety\n/// `p` is ours.\npub unsafe fn free(p: *mut u8) {}\n",
            "type F = unsafe fn(i32);\n",
            "// unsafe { f() }\nlet x = \"unsafe { f() }\";\n",
        ] {
            assert_eq!(lines(check, "a.rs", text), NONE, "{text}");
        }
    }

    #[test]
    fn its_absence_is_found() {
        assert_eq!(lines(check, "a.rs", "unsafe { f() }\n"), [1]);
        assert_eq!(lines(check, "a.rs", "// SAFETY: first.\nunsafe { f() };\nunsafe { g() };\n"), [3]);
        assert_eq!(lines(check, "a.rs", "// SAFETY: far.\n\nunsafe impl Send for A {}\n"), [3]);
        assert_eq!(lines(check, "a.rs", "/// Frees it.\nunsafe fn free() {}\n"), [2]);
    }
}
