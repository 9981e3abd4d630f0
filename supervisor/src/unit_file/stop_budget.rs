//! How long a stop may take at most: apps stop one after the other where one starts after another, else at once.

use std::time::Duration;

/// What seeing that all has ended takes beside the times that were given, for each app and for the whole.
const FOR_EACH: Duration = Duration::from_secs(2);
const FOR_ALL: Duration = Duration::from_secs(3);

/// An app, in the order in which they start.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    /// From the order to stop it until all of it is killed; `None` is never.
    pub(crate) limit: Option<Duration>,
    /// Which of those before it are to end after it.
    pub(crate) after: Vec<usize>,
}

/// From the order to stop all until all have ended, with something to spare; `None` where one of them has for ever.
pub(crate) fn budget(apps: &[Link]) -> Option<Duration> {
    let mut sums: Vec<Duration> = Vec::with_capacity(apps.len());
    for app in apps {
        // The longest chain that ends here. Whichever end of a chain begins, its sum is the same.
        let before = app.after.iter().filter_map(|number| sums.get(*number)).max().copied();
        sums.push(app.limit?.saturating_add(FOR_EACH).saturating_add(before.unwrap_or_default()));
    }
    Some(sums.into_iter().max().unwrap_or_default().saturating_add(FOR_ALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(apps: &[(Option<u64>, &[usize])]) -> Option<u64> {
        let links: Vec<_> = apps
            .iter()
            .map(|(limit, after)| Link { limit: limit.map(Duration::from_secs), after: after.to_vec() })
            .collect();
        budget(&links).map(|sum| sum.as_secs())
    }

    #[test]
    fn chains_add_up_and_what_stands_beside_does_not() {
        assert_eq!(told(&[(Some(25), &[])]), Some(30));
        assert_eq!(told(&[(Some(25), &[]), (Some(40), &[])]), Some(45));
        assert_eq!(told(&[(Some(25), &[]), (Some(40), &[0])]), Some(72));
        // Two ways from the first to the last: the longer one counts.
        assert_eq!(told(&[(Some(1), &[]), (Some(10), &[0]), (Some(2), &[0]), (Some(1), &[1, 2])]), Some(21));
        assert_eq!(told(&[(Some(1), &[]), (None, &[])]), None);
        assert_eq!(told(&[]), Some(3));
    }
}
