//! Reads a body in JSON so that each field can be blamed by its name: the object first, and then field by field.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::reject::Reject;

/// Serde borrows a `Cow` only behind a type of one's own.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads an object. What its fields must be is up to whoever asks.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Reject> {
    // A parser may skip a byte order mark: <https://www.rfc-editor.org/rfc/rfc8259#section-8.1>.
    let object = body.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(body).trim_ascii_start();
    if object.is_empty() {
        return Err(Reject::invalid("body", "the body is empty"));
    }
    // Serde would also take an array, by position.
    if !object.starts_with(b"{") {
        return Err(Reject::invalid("body", "the body must be a JSON object"));
    }
    serde_json::from_slice(object)
        .map_err(|error| Reject::invalid("body", format!("the body is no valid JSON: {error}")))
}

/// The text of a field, if it is there.
pub(super) fn text<'a>(
    field: &'static str,
    value: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, Reject> {
    let Some(json) = value.map(RawValue::get) else { return Ok(None) };
    let parsed = serde_json::from_str::<Text<'a>>(json);
    let Text(text) = parsed.map_err(|_| Reject::invalid(field, format!("{field} must be a string")))?;
    Ok(Some(text))
}

/// A JSON number that is a whole one, however it is written: JSON Schema counts `5.0` and `1e+05` too,
/// and some clients know no other numbers. It is read digit by digit, since a float would round it.
pub(super) fn whole_number(json: &str) -> Option<u64> {
    let (mantissa, exponent) = json.split_once(['e', 'E']).unwrap_or((json, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if significant.is_empty() {
        return Some(0);
    }
    let places =
        i64::try_from(digits.len() - significant.len()).ok()? - i64::try_from(fraction.len()).ok()?;
    let power = u32::try_from(exponent.checked_add(places)?).ok()?;
    significant.parse::<u64>().ok()?.checked_mul(10u64.checked_pow(power)?)
}
