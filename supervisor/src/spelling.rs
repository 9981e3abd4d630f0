//! Which of the names that exist somebody may have meant who wrote another. It would rather name none than a wrong one.

/// The name that differs by a slip or two, or of which this is the beginning; none if there are two as near.
pub(crate) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bare = given.trim_start_matches('-');
    // Of a short word every slip makes another.
    let most = match bare.len() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    let distance = |name: &str| {
        let begins = bare.len() > 3 && name.trim_start_matches('-').starts_with(bare);
        if begins { 1 } else { slips(given, name) }
    };
    let mut found: Vec<_> =
        names.map(|name| (distance(name), name)).filter(|(far, _)| *far <= most).collect();
    found.sort_unstable();
    match found[..] {
        [(first, _), (second, _), ..] if first == second => None,
        [(_, name), ..] => Some(name),
        [] => None,
    }
}

/// How many letters were added, left out, mistaken or exchanged with their neighbours.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            if i == 0 || j == 0 {
                table[i][j] = i + j;
                continue;
            }
            let mistaken = table[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = mistaken.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(table[i - 2][j - 2] + 1);
            }
            table[i][j] = least;
        }
    }
    table[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (a, b, count) in [
            ("", "", 0),
            ("ab", "ba", 1),
            ("workers", "wrokers", 1),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(slips(a, b), count, "{a} {b}");
        }
    }
}
