//! What a scalar is according to version 2 of go-yaml, which sigs.k8s.io/yaml uses.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use granit_parser::Tag;
use serde_json::{Number, Value};

const NAMESPACE: &str = "tag:yaml.org,2002:";

/// The value of a scalar, which is `plain` or has quotes; or what is wrong with it.
pub fn resolve(text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, &'static str> {
    let Some(tag) = tag else { return if plain { implicit(text) } else { Ok(text.into()) } };
    let kind = tag.suffix_in_namespace(NAMESPACE);
    let value = match kind.as_deref() {
        Some("int" | "float" | "bool" | "null" | "timestamp") => implicit(text)?,
        Some("binary") => {
            let bytes = BASE64_STANDARD.decode(text).map_err(|_| "is !!binary and not in base64")?;
            String::from_utf8_lossy(&bytes).into_owned().into()
        }
        _ => text.into(),
    };
    let fits = match kind.as_deref() {
        Some("int") => value.is_i64(),
        Some("float") => value.is_number(),
        Some("bool") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    if fits { Ok(value) } else { Err("is not what its tag says") }
}

/// A key as JSON has it; `None` for null, lists and maps.
pub fn key(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A floating-point number as JSON: one that is whole is written as such, and is an integer to whoever reads it.
pub fn number(number: f64) -> Option<Value> {
    let whole = number.fract() == 0.0 && number.abs() < 9e18;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and fits")]
    if whole { Some((number as i64).into()) } else { Number::from_f64(number).map(Value::Number) }
}

fn implicit(text: &str) -> Result<Value, &'static str> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err("is a number that JSON does not have"),
        _ if text.starts_with('.') => float(text).unwrap_or_else(|| text.into()),
        _ if text.starts_with(|first: char| first.is_ascii_digit() || first == '+' || first == '-') => {
            let digits = text.replace('_', "");
            integer(&digits).or_else(|| float(&digits)).unwrap_or_else(|| text.into())
        }
        _ => text.into(),
    })
}

/// An integer as Go's `strconv.ParseInt` reads it with base 0: `0755` and `0o755`, `0x1F`, `0b11`.
fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let prefixed = |prefix: &str| digits.strip_prefix(prefix).or_else(|| digits.strip_prefix(&prefix.to_uppercase()));
    let (digits, radix) = if let Some(digits) = prefixed("0x") {
        (digits, 16)
    } else if let Some(digits) = prefixed("0b") {
        (digits, 2)
    } else if let Some(digits) = prefixed("0o") {
        (digits, 8)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (digits, 8)
    } else {
        (digits, 10)
    };
    if !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative { 0_i64.checked_sub_unsigned(size).map(Value::from) } else { unsigned(size) }
}

/// A number of which kubectl makes a floating-point one if it is too large for 64 bits with a sign.
pub fn unsigned(number: u64) -> Option<Value> {
    #[expect(clippy::cast_precision_loss, reason = "as kubectl loses it")]
    i64::try_from(number)
        .map_or_else(|_| Number::from_f64(number as f64).map(Value::Number), |number| Some(number.into()))
}

/// A decimal number with a fraction or an exponent, or one that is no integer: `0604800` has an 8.
fn float(text: &str) -> Option<Value> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_decimal = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-'));
    // One that is too large is a text.
    text.parse::<f64>().ok().filter(|number| is_decimal && number.is_finite()).and_then(number)
}
