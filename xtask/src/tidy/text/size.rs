//! The rule on the length of files of code.

use crate::tidy::Fault;
use crate::tidy::reading::tree::Tree;

const MOST: usize = 500;
const CODE: [&str; 6] = [".rs", ".c", ".h", ".js", ".py", ".sh"];

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let code = tree.sources.iter().filter(|source| CODE.iter().any(|end| source.path.ends_with(end)));
    let counted = code.map(|source| (source, source.text.lines().count()));
    let long = counted.filter(|(_, lines)| *lines > MOST);
    long.map(|(source, lines)| source.fault(MOST + 1, format!("{lines} lines"))).collect()
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::sample::{NONE, lines};

    #[test]
    fn one_line_too_many() {
        assert_eq!(lines(check, "a.rs", &"x\n".repeat(500)), NONE);
        assert_eq!(lines(check, "a.rs", &"x\n".repeat(501)), [501]);
        assert_eq!(lines(check, "a.md", &"x\n".repeat(501)), NONE);
    }
}
