//! Reads a JSON object more strictly than serde alone.

use serde::Deserialize;

/// Reads an object. The text must be UTF-8 and begin with a brace. Serde alone would accept an array in place of the object, and
/// would not check that members which it ignores are UTF-8.
pub(crate) fn parse<'t, T: Deserialize<'t>>(bytes: &'t [u8]) -> Option<T> {
    parse_text(std::str::from_utf8(bytes).ok()?)
}

/// Reads an object from text.
pub(crate) fn parse_text<'t, T: Deserialize<'t>>(text: &'t str) -> Option<T> {
    if !text.trim_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}
