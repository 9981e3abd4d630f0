//! Feeds arbitrary bytes to every decoder of the control socket, on both sides of it: what decodes must encode to a line
//! that decodes the same, and what does not must be answered by one line.

use crate::io::control::wire;

/// The one line that the text is.
fn line(text: &str) -> &[u8] {
    let line = text.strip_suffix('\n').expect("it has an end");
    assert!(!line.contains('\n'), "more than one line: {text:?}");
    line.as_bytes()
}

/// The target.
pub fn control(data: &[u8]) {
    match wire::read_request(data) {
        Ok(command) => {
            let again = wire::request(&command);
            assert_eq!(wire::read_request(line(&again)), Ok(command));
        }
        Err(fault) => {
            let declined =
                wire::read_answer(line(&wire::fault(&fault))).expect_err("no fault is a good answer");
            assert!(matches!(declined.code, 1 | 2), "{declined:?}");
        }
    }
    match wire::read_answer(data) {
        Ok(reply) => {
            let again = wire::answer(&Ok(reply.clone()));
            let back = wire::read_answer(line(&again)).expect("it was good before");
            assert_eq!(format!("{back:?}"), format!("{reply:?}"));
        }
        Err(declined) => drop(declined.to_string()),
    }
    if let Some(event) = wire::read_event(data) {
        let at = data.first().map(|byte| u64::from(*byte));
        let back = wire::read_event(line(&wire::event(&event, at))).expect("it was one before");
        assert_eq!(format!("{back:?}"), format!("{event:?}"));
    }
}
