//! The rule against words that name the place where the project is made and not the project.

use crate::tidy::Fault;
use crate::tidy::reading::tree::Tree;

/// Split, so that the list does not find itself; compared without regard to case.
const WORDS: [&str; 5] = [
    concat!("sub", "agent"),
    concat!(".libr", "ary/"),
    concat!("farm-", "bench"),
    concat!("/wo", "rk/"),
    concat!("sess", "ion that"),
];

pub(in crate::tidy) fn check(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for source in &tree.sources {
        for (at, line) in source.text.lines().enumerate() {
            let lower = line.to_ascii_lowercase();
            let found = WORDS.iter().filter(|word| lower.contains(**word));
            faults.extend(found.map(|word| source.fault(at + 1, format!("`{word}`"))));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::{WORDS, check};
    use crate::tidy::sample::{NONE, lines};

    #[test]
    fn every_word_is_found_in_every_kind_of_file() {
        for word in WORDS {
            assert_eq!(lines(check, "README.md", &format!("\na {} b\n", word.to_uppercase())), [2]);
        }
        assert_eq!(lines(check, "README.md", "a worker\n"), NONE);
    }
}
