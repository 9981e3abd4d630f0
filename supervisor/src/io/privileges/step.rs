//! The steps on which a new process comes to what it may do, and how one that has failed reaches the supervisor: in the one number that
//! `Command` passes on from the child.

use std::io;

/// One of them, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    ControlGroup,
    /// The limit in this place of the list.
    Limit(u8),
    Nice,
    Cpus,
    Groups,
    Root,
    Directory,
    Group,
    /// No capabilities by later programs.
    Bound,
    User,
    /// Capabilities that are kept.
    Keep,
    NoNewPrivs,
    /// The program may be executed.
    Program,
    /// The library may be read.
    Library,
    /// The working directory may be entered.
    Entered,
    /// All went well, and nothing is to be executed.
    Done,
}

const STEPS: [Step; 16] = [
    Step::ControlGroup,
    Step::Limit(0),
    Step::Nice,
    Step::Cpus,
    Step::Groups,
    Step::Root,
    Step::Directory,
    Step::Group,
    Step::Bound,
    Step::User,
    Step::Keep,
    Step::NoNewPrivs,
    Step::Program,
    Step::Library,
    Step::Entered,
    Step::Done,
];
/// No error of the kernel has a greater number.
const ERRNO_BITS: u32 = 12;
const STEP_BITS: u32 = 8;

impl Step {
    /// The error as it goes from the child to the supervisor. Allocates nothing.
    pub(super) fn failed(self, error: &io::Error) -> io::Error {
        let errno = error.raw_os_error().unwrap_or(libc::EINVAL) & ((1 << ERRNO_BITS) - 1);
        let (kind, detail) = match self {
            Self::Limit(place) => (Self::Limit(0), i32::from(place)),
            other => (other, 0),
        };
        // From 1: an error that is none of a step has 0.
        let place = STEPS.iter().position(|step| *step == kind).unwrap_or(0) as i32 + 1;
        io::Error::from_raw_os_error(detail << (ERRNO_BITS + STEP_BITS) | place << ERRNO_BITS | errno)
    }

    /// The step that an error from a child is about, and what the kernel said. `None` if it is about none.
    pub(crate) fn of(error: &io::Error) -> Option<(Self, io::Error)> {
        let number = error.raw_os_error()?;
        let place = usize::try_from(number >> ERRNO_BITS & ((1 << STEP_BITS) - 1)).ok()?.checked_sub(1)?;
        let step = match STEPS.get(place)? {
            Self::Limit(_) => Self::Limit(u8::try_from(number >> (ERRNO_BITS + STEP_BITS)).ok()?),
            step => *step,
        };
        Some((step, io::Error::from_raw_os_error(number & ((1 << ERRNO_BITS) - 1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_the_number_comes_out_of_it() {
        for step in STEPS.into_iter().chain([Step::Limit(1), Step::Limit(127)]) {
            for errno in [libc::EPERM, libc::EINVAL, libc::EACCES, 4095] {
                let (back, error) = Step::of(&step.failed(&io::Error::from_raw_os_error(errno))).unwrap();
                assert_eq!((back, error.raw_os_error()), (step, Some(errno)));
            }
        }
        assert!(Step::of(&io::Error::from_raw_os_error(libc::ENOENT)).is_none());
        assert!(Step::of(&io::ErrorKind::NotFound.into()).is_none());
    }
}
