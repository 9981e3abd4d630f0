//! The value of one key, as the arguments of `run` that say the same. It judges only whether the kind of the value fits; what `run` makes
//! of it is `run`'s affair.

use super::super::fault::{Fault, Span};
use super::super::options::{Kind, Opt};
use std::ffi::OsString;
use std::path::Path;
use toml::de::DeValue;

/// The arguments; none for a switch that is off, and for an empty list.
pub(in crate::app_file) fn arguments(
    option: Opt<'_>,
    value: &DeValue<'_>,
    span: Span,
    folder: &Path,
) -> Result<Vec<OsString>, Fault> {
    let flag = format!("--{}", option.name());
    let wrong = |span: Span, value: &DeValue<'_>| {
        let what = format!("`{}` takes {}, not {}", option.name(), wanted(option), kind(value));
        Fault::new(span, what, instead(option, value))
    };
    let word = |value: &DeValue<'_>, span: Span| {
        let text = text(value).filter(|_| !option.is_text() || matches!(value, DeValue::String(_)));
        let Some(text) = text else { return Err(wrong(span, value)) };
        if text.contains('\0') {
            return Err(Fault::new(span, format!("bad value of `{}`", option.name()), "it holds a NUL byte"));
        }
        let mut word = OsString::from(format!("{flag}="));
        // Some paths may be a word instead, as the help says: `PATH|none`.
        let is_word = text.is_empty() || option.value_name().split('|').any(|word| word == text);
        match option.is_path() && !is_word {
            true => word.push(folder.join(text)),
            false => word.push(text),
        }
        Ok(word)
    };
    match (option.kind(), value) {
        (Kind::Switch, DeValue::Boolean(true)) => Ok(vec![flag.into()]),
        (Kind::Switch, DeValue::Boolean(false)) => Ok(Vec::new()),
        (Kind::Count, DeValue::Integer(number)) => match number.as_str().parse::<u8>() {
            Ok(count) => Ok(vec![flag.into(); usize::from(count)]),
            Err(_) => Err(wrong(span, value)),
        },
        (Kind::Switch | Kind::Count, value) => Err(wrong(span, value)),
        (Kind::Many, DeValue::Array(values)) => {
            values.iter().map(|value| word(value.get_ref(), value.span())).collect()
        }
        (Kind::One | Kind::Many, value) => word(value, span).map(|word| vec![word]),
    }
}

/// What the value says as a word of a command line; `None` if it is none.
pub(in crate::app_file) fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.clone().into_owned()),
        // In another base the digits would be read as something else.
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        _ => None,
    }
}

/// What kind of value this is.
pub(in crate::app_file) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(number) if number.radix() == 8 => "an octal number",
        DeValue::Integer(number) if number.radix() != 10 => "a number that is not decimal",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn wanted(option: Opt<'_>) -> &'static str {
    match option.kind() {
        Kind::Switch => "true or false",
        Kind::Count => "a number from 0 to 255",
        Kind::Many => "a text or a list of texts",
        Kind::One if option.is_number() => "a number",
        Kind::One => "text",
    }
}

fn instead(option: Opt<'_>, value: &DeValue<'_>) -> String {
    let name = option.name();
    match (option.kind(), value) {
        (Kind::Switch, _) => format!("write {name} = true"),
        (Kind::Count, _) => format!("write {name} = 1"),
        (_, DeValue::Integer(number)) if number.radix() == 8 => format!("write \"{}\"", number.as_str()),
        (_, DeValue::Integer(number)) => format!("write \"{number}\""),
        (_, DeValue::Float(_)) if option.is_number() => "give a whole number".to_owned(),
        (_, DeValue::Float(number)) => format!("write \"{number}\", with a unit if it needs one"),
        (_, DeValue::Boolean(_)) => format!("this is a {}", option.value_name()),
        _ => String::new(),
    }
}
