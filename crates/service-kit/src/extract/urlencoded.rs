//! `application/x-www-form-urlencoded`, in queries and forms.

use percent_encoding::percent_decode;

/// Refuses what the parser would replace without notice: a percent sign without two hex digits, and bytes that are not
/// UTF-8 when decoded. Returns what is wrong.
pub(super) fn check_encoding(text: &[u8]) -> Result<(), &'static str> {
    let mut pieces = text.split(|byte| *byte == b'%').skip(1);
    let is_escape = |piece: &[u8]| piece.len() >= 2 && piece.iter().take(2).all(u8::is_ascii_hexdigit);
    if !pieces.all(is_escape) {
        return Err("a percent sign must be followed by two hex digits");
    }
    percent_decode(text)
        .decode_utf8()
        .map(drop)
        .map_err(|_| "it is not UTF-8")
}
