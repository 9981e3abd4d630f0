//! Variables that `up` hands to the process of an app for its workers alone. They travel in one variable, so that they mean nothing to the
//! process itself: a PATH, an LD_PRELOAD or an XDG_RUNTIME_DIR for workers must not move its control socket or load a library into it.

use crate::api::Variables;

/// Holds them as a JSON object. Workers do not get it.
pub(crate) const VARIABLE: &str = "CLUSTERMON_APP_ENV";

/// The value of the variable.
pub(crate) fn encoded(variables: &Variables) -> String {
    // Texts by names: there is nothing in it that could not be written.
    serde_json::to_string(variables).unwrap_or_default()
}

/// What this process was handed; none if `up` has not started it.
pub(crate) fn from_environment() -> Variables {
    std::env::var(VARIABLE).map(|text| decoded(&text)).unwrap_or_default()
}

/// What makes no sense counts as nothing: whoever else sets the variable has meant something else.
fn decoded(text: &str) -> Variables {
    let mut variables: Variables = serde_json::from_str(text).unwrap_or_default();
    variables.0.retain(|name, value| is_possible(name, value));
    variables
}

/// Whether a process can be given it.
pub(crate) fn is_possible(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_arrives() {
        let variables = [("A", "1"), ("B", "two\n\"lines\" é")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        let variables = Variables(variables.into());
        assert_eq!(decoded(&encoded(&variables)), variables);
        for text in ["", "1", "{\"A\":1}", "{\"A=\":\"1\"}", "{\"\":\"1\"}", "{\"A\":\"\\u0000\"}"] {
            assert_eq!(decoded(text), Variables::default(), "{text}");
        }
    }
}
