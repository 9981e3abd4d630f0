//! What is another way in a new command line of a cluster than in the one by which it runs: plain data. Values of variables are never in it.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// An option, the command, or a variable of the workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Difference {
    /// The option by its long name without dashes; `command`; or `env NAME`.
    pub what: String,
    /// As it was given, where it was and may be shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The same of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub takes: Takes,
}

/// What it takes to have the new value in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Takes {
    /// Nothing: it holds from then on.
    Nothing,
    /// A new process for each worker, as by a reload.
    Reload,
    /// A new supervisor: the cluster has to be stopped and started.
    Start,
}

impl Difference {
    pub(crate) fn new(
        what: impl Into<String>,
        from: Option<String>,
        to: Option<String>,
        takes: Takes,
    ) -> Self {
        Self { what: what.into(), from, to, takes }
    }
}

/// Variables of workers. What shows it shows their names alone.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Variables(pub BTreeMap<String, String>);

impl Variables {
    /// What is another way in the other ones, by name.
    pub(crate) fn differences(&self, new: &Self) -> impl Iterator<Item = Difference> {
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(new.0.keys()).cloned().collect();
        names.into_iter().filter(|name| self.0.get(name) != new.0.get(name)).map(|name| {
            let set = |variables: &Self| variables.0.contains_key(&name).then(|| "set".to_owned());
            let (from, to) = (set(self), set(new).map(|_| "another value".to_owned()));
            let to = if from.is_none() { to.map(|_| "set".to_owned()) } else { to };
            Difference::new(format!("env {name}"), from, to, Takes::Reload)
        })
    }
}

impl<'de> Deserialize<'de> for Variables {
    // Named as serde's own derivation does, by which `api.txt` has it.
    fn deserialize<__D>(from: __D) -> Result<Self, __D::Error>
    where
        __D: Deserializer<'de>,
    {
        // The error of the library repeats what it has found, which may be a secret.
        let odd = |_: __D::Error| __D::Error::custom("variables are an object with a text for each name");
        BTreeMap::deserialize(from).map(Self).map_err(odd)
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nor_where_it_cannot_be_read() {
        for text in ["\"secret\"", "31337", "[\"secret\"]", "{\"A\":31337}", "{\"A\":[\"secret\"]}"] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let told = serde_json::from_value::<Variables>(value).unwrap_err().to_string();
            assert_eq!(told, "variables are an object with a text for each name", "{text}");
        }
        let variables: Variables = serde_json::from_str("{\"A\":\"1\"}").unwrap();
        assert_eq!(serde_json::to_string(&variables).unwrap(), "{\"A\":\"1\"}");
    }

    #[test]
    fn no_value_of_a_variable_is_shown() {
        let variables = |pairs: &[(&str, &str)]| {
            Variables(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
        };
        let old = variables(&[("A", "secret-1"), ("B", "secret-2"), ("C", "secret-3")]);
        let new = variables(&[("A", "secret-1"), ("B", "secret-4"), ("D", "secret-5")]);
        let found: Vec<_> = old.differences(&new).collect();
        let told = |what: &str, from: Option<&str>, to: Option<&str>| {
            Difference::new(what, from.map(str::to_owned), to.map(str::to_owned), Takes::Reload)
        };
        let expected = [
            told("env B", Some("set"), Some("another value")),
            told("env C", Some("set"), None),
            told("env D", None, Some("set")),
        ];
        assert_eq!(found, expected);
        assert!(!format!("{old:?} {found:?}").contains("secret"));
    }
}
