//! As much of JSON Schema as `openapi.yaml` uses. A keyword that is not known here fails, so that none is
//! ever passed over.

use serde_json::Value;

use crate::digest::Sha256;

pub(super) fn openapi() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.yaml");
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Whether `value`, which is at `place`, is what `schema` says, and if not, why.
pub(super) fn check(openapi: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    for (keyword, wanted) in schema.as_object().ok_or("a schema is an object")? {
        let is_met = match keyword.as_str() {
            "description" | "examples" | "example" => true,
            "$ref" => {
                let path = wanted.as_str().and_then(|path| path.strip_prefix('#')).unwrap_or_default();
                let schema = openapi.pointer(path).unwrap_or_else(|| panic!("no {wanted}"));
                check(openapi, schema, value, place)?;
                true
            }
            "oneOf" => {
                let alternatives = wanted.as_array().into_iter().flatten();
                alternatives.filter(|schema| check(openapi, schema, value, place).is_ok()).count() == 1
            }
            "type" => match wanted.as_array() {
                Some(types) => types.iter().any(|wanted| is_of(value, wanted)),
                None => is_of(value, wanted),
            },
            "const" => value == wanted,
            "enum" => wanted.as_array().is_some_and(|values| values.contains(value)),
            "required" => wanted
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .all(|name| value.get(name).is_some()),
            "properties" => {
                for (name, schema) in wanted.as_object().into_iter().flatten() {
                    if let Some(value) = value.get(name) {
                        check(openapi, schema, value, &format!("{place}.{name}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = &schema["properties"];
                let others = value.as_object().into_iter().flatten();
                for (name, value) in others.filter(|(name, _)| known.get(name.as_str()).is_none()) {
                    if *wanted == Value::Bool(false) {
                        return Err(format!("{place} has {name}, which is not described"));
                    }
                    check(openapi, wanted, value, &format!("{place}.{name}"))?;
                }
                true
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(openapi, wanted, value, &format!("{place}[{index}]"))?;
                }
                true
            }
            "maxItems" => value.as_array().is_none_or(|values| Some(values.len() as u64) <= wanted.as_u64()),
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= wanted.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= wanted.as_f64()),
            "minLength" => length(value).is_none_or(|length| Some(length) >= wanted.as_u64()),
            "maxLength" => length(value).is_none_or(|length| Some(length) <= wanted.as_u64()),
            "pattern" | "format" | "contentEncoding" => {
                value.as_str().is_none_or(|text| is_written_as(text, wanted.as_str().unwrap_or_default()))
            }
            other => panic!("{place}: what does {other} mean?"),
        };
        if !is_met {
            return Err(format!("{place}: {value} is not of {keyword} {wanted}"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "null" => value.is_null(),
        other => panic!("what is {other}?"),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

/// Formats and encodings, and the patterns by hand: they are few, and all of digests.
fn is_written_as(text: &str, wanted: &str) -> bool {
    match wanted {
        "uuid" => uuid::Uuid::try_parse(text).is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "uri" => text.starts_with("https://"),
        "base64" => text.len().is_multiple_of(4),
        "^[0-9a-f]{64}$" => Sha256::parse(text).is_some_and(|digest| digest.to_string() == text),
        pattern if pattern.starts_with("^([0-9A-Fa-f]{64}|") => Sha256::parse(text).is_some(),
        other => panic!("what is {other}?"),
    }
}
