//! JSON Schema, as much of it as the tests need.

#![allow(dead_code, reason = "shared by several test crates")]

use regex::Regex;
use serde_json::Value;

/// What of a value does not fit a schema; nothing, if it fits. As much of the standard as our schemas use: a keyword
/// that is not known here fails the test.
pub(crate) fn misfits(schema: &Value, value: &Value, place: &str, out: &mut Vec<String>) {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(format!("{place}: {what}"));
    let fits = |schema: &Value, value: &Value| {
        let mut none = Vec::new();
        misfits(schema, value, "", &mut none);
        none.is_empty()
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (keyword, says) in schema.as_object().expect("a schema is a table") {
        match keyword.as_str() {
            "$schema" | "title" | "description" | "default" => {}
            "type" => {
                let is = match text(says).as_str() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    other => panic!("type `{other}`"),
                };
                if !is {
                    wrong(format!("is no {says}"));
                }
            }
            "enum" => {
                if !says.as_array().expect("a list").contains(value) {
                    wrong(format!("{value} is none of {says}"));
                }
            }
            "const" => {
                if says != value {
                    wrong(format!("{value} is not {says}"));
                }
            }
            "pattern" => {
                let pattern = Regex::new(&text(says)).expect("a pattern");
                if value.as_str().is_some_and(|value| !pattern.is_match(value)) {
                    wrong(format!("{value} does not fit {says}"));
                }
            }
            "minLength" | "maxLength" => {
                let length = value.as_str().map(|text| text.chars().count() as u64);
                let bound = says.as_u64().expect("a number");
                let is = |length| if keyword == "minLength" { length >= bound } else { length <= bound };
                if length.is_some_and(|length| !is(length)) {
                    wrong(format!("has {length:?} characters, beyond {bound}"));
                }
            }
            "minimum" | "maximum" => {
                let (value, bound) = (value.as_u64(), says.as_u64().expect("a number"));
                let is = |value| if keyword == "minimum" { value >= bound } else { value <= bound };
                if value.is_some_and(|value| !is(value)) {
                    wrong(format!("beyond {bound}"));
                }
            }
            "anyOf" => {
                if !says.as_array().expect("a list").iter().any(|schema| fits(schema, value)) {
                    wrong(format!("{value} fits none of {says}"));
                }
            }
            "items" => {
                for (at, item) in value.as_array().into_iter().flatten().enumerate() {
                    misfits(says, item, &format!("{place}[{at}]"), out);
                }
            }
            "maxItems" => {
                let most = says.as_u64().and_then(|most| usize::try_from(most).ok()).expect("a number");
                if value.as_array().is_some_and(|list| list.len() > most) {
                    wrong(format!("{value} has more than {most}"));
                }
            }
            "required" => {
                for key in says.as_array().expect("a list").iter().map(text) {
                    if value.as_object().is_some_and(|table| !table.contains_key(&key)) {
                        wrong(format!("`{key}` is missing"));
                    }
                }
            }
            "propertyNames" => {
                for key in value.as_object().into_iter().flat_map(|table| table.keys()) {
                    if !fits(says, &Value::from(key.as_str())) {
                        wrong(format!("`{key}` is no name"));
                    }
                }
            }
            "properties" => {
                for (key, value) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = says.get(key) {
                        misfits(schema, value, &format!("{place}.{key}"), out);
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    match says {
                        _ if known.is_some_and(|known| known.contains_key(key)) => {}
                        Value::Bool(false) => out.push(format!("{place}: `{key}` is no key")),
                        says => misfits(says, value, &format!("{place}.{key}"), out),
                    }
                }
            }
            other => panic!("`{other}` is not known to this test"),
        }
    }
    out.append(&mut found);
}
