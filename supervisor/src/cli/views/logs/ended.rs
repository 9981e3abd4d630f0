//! What is left of the output of a cluster that has ended badly: the file of its log, or the lines that its workers wrote last. It asks
//! nobody, for nobody is there.

use super::Args;
use super::file::LogFile;
use super::wanted::Wanted;
use crate::api::{LogLine, LogStream, Target};
use crate::cli::connection::target::{self, Found};
use crate::cli::output::complaint::complain;
use crate::cli::output::failed::{ABSENT, Failed};
use crate::io::control::last_end::LastEnd;
use crate::io::output::stamp;

impl Args {
    /// Shows of these what those have left that are gone, and says why each is; returns the others.
    pub(super) fn without_ended(&self, found: Vec<Found>) -> Result<(Vec<Found>, bool), Failed> {
        let (mut others, mut is_gone) = (Vec::new(), false);
        for one in found {
            let gone = one.client.as_ref().err().filter(|failed| failed.code == ABSENT);
            let why = gone.map(|failed| failed.message.clone().unwrap_or_default());
            match why.and_then(|why| Some((why, target::end_of(one.name.as_deref(), &self.whom.at)?.1))) {
                Some((why, end)) => {
                    self.show_end(&end, &one.target)?;
                    complain(why);
                    is_gone = true;
                }
                None => others.push(one),
            }
        }
        Ok((others, is_gone))
    }

    fn show_end(&self, end: &LastEnd, target: &Target) -> Result<(), Failed> {
        let Some(inspection) = &end.inspection else { return Ok(()) };
        let (wanted, count) = (self.wanted(), self.count() as usize);
        let file = inspection.launch.log.as_deref().filter(|_| *target == Target::Cluster && !self.json);
        if let Some(mut file) = file.and_then(LogFile::open) {
            return file.last(&wanted, count);
        }
        let lines = last_lines(end, target, &wanted);
        let skipped = lines.len().saturating_sub(count);
        lines[skipped..].iter().try_for_each(|line| self.show(&end.name, line))
    }
}

/// Those of this worker, or of all. When each was written is not known any more, so it has the time of the end.
fn last_lines(end: &LastEnd, target: &Target, wanted: &Wanted) -> Vec<LogLine> {
    let workers = end.inspection.iter().flat_map(|inspection| &inspection.workers);
    let meant = workers.filter(|worker| match target {
        Target::Worker(id) => worker.id == *id,
        Target::Cluster => true,
    });
    let at = end.ended_at;
    let lines = meant.flat_map(|worker| {
        worker.last_stderr.iter().map(|text| LogLine {
            at,
            worker: Some(worker.id.clone()),
            stream: LogStream::Stderr,
            text: text.clone(),
        })
    });
    lines.filter(|line| wanted.is(Some(&stamp::of(at)), &line.text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_all_or_of_one() {
        let mut inspection = crate::cli::views::status::tests::inspection();
        for (worker, text) in inspection.workers.iter_mut().zip(["no such module", "no such table"]) {
            worker.last_stderr = vec!["Traceback".to_owned(), text.to_owned()];
        }
        let second = inspection.workers[1].id.clone();
        let end = LastEnd::now("web", 1, "why".to_owned(), Some(inspection));
        let texts = |target, text: &str| {
            let wanted = Wanted { since: None, text: text.to_owned() };
            last_lines(&end, &target, &wanted).into_iter().map(|line| line.text).collect::<Vec<_>>()
        };
        assert_eq!(texts(Target::Cluster, "no such"), ["no such module", "no such table"]);
        assert_eq!(texts(Target::Worker(second), ""), ["Traceback", "no such table"]);
        let of_none = LastEnd { inspection: None, ..end.clone() };
        assert!(last_lines(&of_none, &Target::Cluster, &Wanted::default()).is_empty());
    }
}
