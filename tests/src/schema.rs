//! A judge of the shape of JSON: as much of JSON Schema as the schemas in `data/` use.

use serde_json::Value;

/// Fails the test unless `value` is as the text of a schema says.
#[track_caller]
pub fn assert_valid(schema: &str, value: &Value) {
    let rules = serde_json::from_str(schema).expect("the schema");
    let found = faults(&rules, value);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What is wrong with `value`, each fault with its place; `schema` knows `type`,
/// `properties`, `required`, `additionalProperties` (false or a schema), `items`, `enum`,
/// `minimum`, `maximum`, `pattern` (`^0x` and hexadecimal digits only) and `$ref` to
/// `#/$defs/NAME`.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    judge(schema, schema, value, "$", &mut found);
    found
}

const KNOWN: [&str; 14] = [
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "minimum",
    "maximum",
    "pattern",
];

fn judge(root: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let rules = schema.as_object().expect("a schema is an object");
    for rule in rules.keys() {
        assert!(KNOWN.contains(&rule.as_str()), "{rule} is not judged here");
    }
    if let Some(name) = schema["$ref"].as_str() {
        let target = root
            .pointer(name.strip_prefix('#').expect("a reference within"))
            .unwrap_or_else(|| panic!("no {name}"));
        return judge(root, target, value, place, found);
    }
    let mut fault = |what: &str| found.push(format!("{place}: {what}: {value}"));
    let right = match schema["type"].as_str() {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some(other) => panic!("type {other} is not judged here"),
    };
    if !right {
        fault("wrong type");
        return;
    }
    if let Some(allowed) = schema["enum"].as_array() {
        if !allowed.contains(value) {
            fault("not one of those allowed");
        }
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_i64(), value.as_i64()) {
        if number < least {
            fault("too small");
        }
    }
    if let (Some(most), Some(number)) = (schema["maximum"].as_u64(), value.as_u64()) {
        if number > most {
            fault("too large");
        }
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str()) {
        assert_eq!(pattern, "^0x[0-9a-f]{1,8}$", "is not judged here");
        let digits = text.strip_prefix("0x").unwrap_or("");
        let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if !(1..=8).contains(&digits.len()) || !digits.chars().all(digit) {
            fault("not as the pattern says");
        }
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        if value.get(name).is_none() {
            fault(&format!("no {name}"));
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Null) => {}
            (Value::Null, Value::Bool(false)) => found.push(format!("{place}: unknown member")),
            (Value::Null, rest) => judge(root, rest, member, &place, found),
            (known, _) => judge(root, known, member, &place, found),
        }
    }
    if !schema["items"].is_null() {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            judge(
                root,
                &schema["items"],
                item,
                &format!("{place}[{at}]"),
                found,
            );
        }
    }
}
