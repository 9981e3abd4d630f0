//! What a cluster that did not end well leaves behind for people: why, and how its workers were. It ends nothing.

use super::super::Shell;
use super::super::os::Os;
use super::endings::ending;
use crate::io::control::last_end::LastEnd;
use crate::io::output::plain::Plain;
use crate::pool::Outcome;

impl<O: Os> Shell<O> {
    /// The exit code and the cause, where the cluster did not just end as it was to.
    pub(in crate::event_loop) fn what_went_wrong(&self, outcome: Outcome) -> Option<(u8, String)> {
        let cause = match outcome {
            Outcome::Stopped | Outcome::Finished => return None,
            Outcome::Exhausted => {
                let last = self.pool.workers().find_map(|worker| self.last_exit(worker.id()));
                let last = last.map_or_else(String::new, |last| format!("; the last end of one: {last}"));
                format!("the restarts of every worker are spent{last}")
            }
            Outcome::NeverStarted { worker, exit: None } => {
                let last = self.last_exit(worker);
                let last = last.map_or_else(String::new, |last| format!("; the last: {last}"));
                format!("no worker could be started{last}{}", wrote(&self.reports.causes.last_stderr(worker)))
            }
            Outcome::NeverStarted { worker, exit: Some(exit) } => {
                // The cause says more than the end, where it is known.
                let last = self.last_exit(worker).unwrap_or_else(|| ending(&exit));
                let wrote = wrote(&self.reports.causes.last_stderr(worker));
                format!(
                    "no worker has come so far as to listen, and each has exited; the last: {last}{wrote}"
                )
            }
        };
        Some((outcome.code(), cause))
    }

    /// Leaves word of the end beside the control socket, if there is one; or of none, where all went well.
    pub(in crate::event_loop) fn leave_word(&self, wrong: Option<(u8, String)>) {
        let Some(control) = &self.control else { return };
        let end =
            wrong.map(|(code, cause)| LastEnd::now(&self.config.name, code, cause, Some(self.inspection())));
        control.leave_word(end.as_ref());
    }
}

/// For the end of a sentence on a process that came to nothing; empty where it wrote nothing.
pub(in crate::event_loop) fn wrote(lines: &[String]) -> String {
    telling(lines).map_or_else(String::new, |line| format!("; it wrote last: {}", Plain(&line)))
}

/// Of what a program wrote last, the line that says most likely why it ended: the last one of an error, or else the last one that is
/// neither part of a stack trace nor a pointer such as `^`. Node ends its traces with its version, and Rust with a note.
fn telling(lines: &[String]) -> Option<String> {
    const ERRORS: [&str; 4] = ["error", "exception", "panic", "fatal"];
    const NEVER: [&str; 3] = ["Node.js v", "Emitted ", "note: "];
    let is_said = |line: &&String| line.contains(char::is_alphanumeric);
    let is_own = |line: &&String| {
        is_said(line)
            && !line.starts_with(char::is_whitespace)
            && !NEVER.iter().any(|start| line.starts_with(start))
    };
    let is_error = |line: &&String| {
        let line = line.to_lowercase();
        ERRORS.iter().any(|word| line.contains(word))
    };
    let last = |wanted: &dyn Fn(&&String) -> bool| lines.iter().rposition(|line| wanted(&line));
    let at =
        last(&|line| is_own(line) && is_error(line)).or_else(|| last(&is_own)).or_else(|| last(&is_said))?;
    let line = lines[at].trim();
    // What went wrong may be on the next line.
    let next = lines.get(at + 1).filter(|next| line.ends_with(':') && is_own(next));
    Some(next.map_or_else(|| line.to_owned(), |next| format!("{line} {}", next.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_the_one_that_says_why() {
        for (text, expected) in [
            ("", None),
            ("DATABASE_URL is not set", Some("DATABASE_URL is not set")),
            ("starting\n  bye\n", Some("starting")),
            ("  only this\n^\n", Some("only this")),
            (
                "/srv/a.js:1\nthrow new Error(\"no\");\n^\n\nError: no\n    at a (/srv/a.js:1:7)\n\nNode.js v20.1.0\n",
                Some("Error: no"),
            ),
            (
                "Error: listen EADDRINUSE\n    at b\nEmitted 'error' event on Server instance at:\n    at c {\n  code: 'X'\n}\n\nNode.js v20.1.0",
                Some("Error: listen EADDRINUSE"),
            ),
            (
                "Traceback (most recent call last):\n  File \"a.py\"\nOSError: [Errno 98] in use",
                Some("OSError: [Errno 98] in use"),
            ),
            ("  def (\n      ^\nSyntaxError: invalid syntax", Some("SyntaxError: invalid syntax")),
            (
                "a.rb:12: syntax error, unexpected end\nrun(main())\n   ^",
                Some("a.rb:12: syntax error, unexpected end"),
            ),
            (
                "thread 'main' panicked at src/main.rs:2:5:\nno config\nnote: run with `RUST_BACKTRACE=1`",
                Some("thread 'main' panicked at src/main.rs:2:5: no config"),
            ),
        ] {
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            assert_eq!(telling(&lines).as_deref(), expected, "{text}");
        }
    }
}
