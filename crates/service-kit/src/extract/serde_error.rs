//! Turns serde's errors into messages for the client.
//!
//! `serde_json` has errors as English text only: which member is missing or unknown, and what was expected, stand nowhere
//! else. The alternative is a deserializer with its own error type, several hundred lines for every kind of JSON
//! value. Tests in `body.rs` compare each message, so they fail when serde changes its text.

use crate::problem::RequestError;

/// Characters of a member's name that a refusal repeats, if the client made the name up.
pub(super) const MAX_NAME_LENGTH: usize = 100;

/// `serde_json`'s message for a number that no Rust type can hold. RFC 8259 §6 does not bound numbers.
const OUT_OF_RANGE: &str = "number out of range";

pub(super) fn is_out_of_range(error: &serde_json::Error) -> bool {
    message(error) == OUT_OF_RANGE
}

/// The message without the position, such as `at line 1 column 5`.
pub(super) fn message(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message)
        .to_owned()
}

/// The refusal that names the field with the wrong value.
pub(super) fn field_error(error: &serde_path_to_error::Error<serde_json::Error>) -> RequestError {
    let message = message(error.inner());
    let path = Some(error.path().to_string())
        .filter(|path| path != ".")
        .unwrap_or_default();

    for (start, problem) in [
        ("missing field `", "is missing"),
        ("unknown field `", "is not known here"),
    ] {
        if let Some((name, _)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) {
            let parent = path.strip_suffix(name).unwrap_or(&path).trim_end_matches('.');
            let name: String = name.chars().take(MAX_NAME_LENGTH).collect();
            let field = if parent.is_empty() {
                name
            } else {
                format!("{parent}.{name}")
            };
            return RequestError::field(&field, problem);
        }
    }
    if message == OUT_OF_RANGE {
        return RequestError::field(&path, "is too large");
    }
    let expected = message
        .rsplit_once("expected ")
        .map_or("something else", |(_, expected)| expected);
    let expected = match expected {
        "i64" | "u64" | "i32" | "u32" => "an integer",
        other => other,
    };
    RequestError::field(&path, format!("must be {expected}"))
}
