//! The JSON schema of the file, for editors. It is made of the same options as the reader, which clap defines: a struct beside them for a
//! derive such as schemars would be a second list of options, and the two would come apart. A schema is looser than the reader, which
//! alone knows what a duration or an address is.

use super::document::layer::{AFTER, COMMAND, ENV};
use super::options::{Kind, Opt, Options};
use serde_json::{Map, Value, json};

/// The whole schema.
pub(crate) fn schema(options: &Options) -> Value {
    let keys = options.keys().map(|option| (option.name().to_owned(), of_option(option)));
    let apps: Map<_, _> = keys.chain([own(COMMAND, command()), own(ENV, env())]).collect();
    let app: Map<_, _> = apps.clone().into_iter().chain([own(AFTER, after())]).collect();
    let table = |what: &str, of: &str| {
        let of = json!({ "$ref": format!("#/definitions/{of}") });
        json!({ "description": what, "type": "object", "additionalProperties": of })
    };
    let defaults = json!({ "$ref": "#/definitions/defaults" });
    let sheet: Map<_, _> =
        [own("defaults", defaults), own("app", table("The apps, each by its name", "app"))]
            .into_iter()
            .collect();
    let profiles = own("profile", table("What is chosen by --env NAME, and beats the rest", "profile"));
    let root: Map<_, _> = sheet.clone().into_iter().chain([profiles]).collect();
    let object = |what: &str, properties: Map<String, Value>| json!({ "description": what, "type": "object", "properties": properties, "additionalProperties": false });
    let mut schema = object("Apps that clustermon runs", root);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = json!("clustermon.toml");
    schema["definitions"] = json!({
        "app": object("One app: a program, how many workers of it run, and how", app),
        "defaults": object("What holds for every app that says nothing else", apps),
        "profile": object("A profile", sheet),
    });
    schema
}

fn own(key: &str, schema: Value) -> (String, Value) {
    (key.to_owned(), schema)
}

fn command() -> Value {
    json!({
        "description": "The program and its arguments: a list of words, or one text, which is cut into words as by a shell, but run by none",
        "anyOf": [
            { "type": "string", "minLength": 1 },
            { "type": "array", "minItems": 1, "items": { "type": ["string", "integer"] } },
        ],
    })
}

fn env() -> Value {
    json!({
        "description": "Variables of the workers, before those of env-file and of the supervisor",
        "type": "object",
        "additionalProperties": { "type": ["string", "number", "boolean"] },
    })
}

fn after() -> Value {
    json!({
        "description": "Apps that are ready before this one starts, and stop after it",
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }],
    })
}

fn of_option(option: Opt<'_>) -> Value {
    let mut schema = match option.kind() {
        Kind::Switch => json!({ "type": "boolean" }),
        Kind::Count => json!({ "type": "integer", "minimum": 0, "maximum": 255 }),
        Kind::One => one(option),
        Kind::Many => json!({ "anyOf": [one(option), { "type": "array", "items": one(option) }] }),
    };
    schema["description"] = json!(option.help());
    if let Some(default) = option.default().filter(|_| matches!(option.kind(), Kind::One)) {
        let number = default.parse::<i64>().ok().filter(|_| option.is_number());
        schema["default"] = number.map_or_else(|| json!(default), |number| json!(number));
    }
    schema
}

fn one(option: Opt<'_>) -> Value {
    let words: Vec<_> = option.value_name().split('|').collect();
    let is_word = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    if option.is_number() {
        return json!({ "type": "integer" });
    }
    if words.len() > 1 && words.iter().all(is_word) {
        return json!({ "type": "string", "enum": words });
    }
    if words.contains(&"N") {
        return json!({ "type": ["string", "integer"] });
    }
    json!({ "type": "string" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Value {
        schema(&Options::of(crate::cli::run_command()))
    }

    #[test]
    fn every_key_is_in_it_and_described() {
        let (schema, options) = (made(), Options::of(crate::cli::run_command()));
        let described = |properties: &Value, option: Opt<'_>| {
            let help = properties[option.name()]["description"].as_str().unwrap_or_default();
            assert!(!help.is_empty(), "{}", option.name());
        };
        for option in options.keys() {
            described(&schema["definitions"]["app"]["properties"], option);
            described(&schema["definitions"]["defaults"]["properties"], option);
        }
        assert!(schema["definitions"]["defaults"]["properties"]["after"].is_null());
        assert!(schema["definitions"]["profile"]["properties"]["profile"].is_null());
    }

    #[test]
    fn kinds_are_those_that_the_reader_takes() {
        let schema = made();
        let app = &schema["definitions"]["app"]["properties"];
        assert_eq!(app["keep-trying"]["type"], "boolean");
        assert_eq!((&app["window"]["type"], &app["respawn"]["default"]), (&json!("integer"), &json!(-1)));
        assert_eq!(app["workers"]["type"], json!(["string", "integer"]));
        assert_eq!(
            (&app["restart-delay"]["type"], &app["restart-delay"]["default"]),
            (&json!("string"), &json!("100ms"))
        );
        assert_eq!(app["umask"]["type"], "string");
        assert_eq!(app["share"]["anyOf"][1]["items"]["type"], "string");
        assert_eq!(app["exit-codes-ok"]["anyOf"][0]["type"], "integer");
        assert_eq!(app["log-format"]["enum"], json!(["text", "json"]));
    }
}
