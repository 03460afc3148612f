//! The normal form of a request's path. It is made once, before routing, so that the gateway and the service see the same path.
//!
//! Two programs may read an ambiguous path differently: one decodes `%2e%2e` before it resolves dot segments, another afterwards. A
//! path that is public for one could then be another path for the other. The gateway refuses such paths.

use std::borrow::Cow;

/// The path is ambiguous or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidPath;

/// Returns the path with its unreserved characters decoded and its other escapes in upper case (RFC 3986 §6.2.2).
///
/// Refuses dot segments (also before a `;`), empty segments except at the end, backslashes, control characters, characters beyond
/// ASCII that are not UTF-8, escaped slashes and percent signs (double encoding), and incomplete escapes.
pub(crate) fn normalize(path: &str) -> Result<Cow<'_, str>, InvalidPath> {
    let rest = path.strip_prefix('/').ok_or(InvalidPath)?;
    // Checked first, because most paths are plain. The rest of the function then has only escapes to handle.
    if !path.bytes().all(is_literal) {
        return if path.contains('%') {
            decode(path)
        } else {
            Err(InvalidPath)
        };
    }
    check_segments(rest)?;
    Ok(Cow::Borrowed(path))
}

/// Whether this byte may stand for itself in a path (`pchar` of RFC 3986 §3.3, or a slash).
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Normalizes a path with escapes.
fn decode(path: &str) -> Result<Cow<'_, str>, InvalidPath> {
    let mut normal = String::with_capacity(path.len());
    // Decoded as a whole, to see whether the escapes are UTF-8.
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !is_literal(byte) {
                return Err(InvalidPath);
            }
            normal.push(char::from(byte));
            decoded.push(byte);
            continue;
        }
        let digits = [bytes.next(), bytes.next()].map(|digit| digit.and_then(hex_value));
        let [Some(high), Some(low)] = digits else {
            return Err(InvalidPath);
        };
        let byte = high * 16 + low;
        if byte.is_ascii_control() || b"/\\%".contains(&byte) {
            return Err(InvalidPath);
        }
        decoded.push(byte);
        if is_unreserved(byte) {
            normal.push(char::from(byte));
        } else {
            normal.push('%');
            for digit in [high, low] {
                normal.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    // `%C0%AF`, for example, is an overlong form of a slash.
    let decoded = String::from_utf8(decoded).map_err(|_| InvalidPath)?;
    check_segments(decoded.strip_prefix('/').unwrap_or_default())?;
    Ok(Cow::Owned(normal))
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| value.try_into().ok())
}

/// Refuses dot segments and empty segments. The last segment may be empty.
fn check_segments(path: &str) -> Result<(), InvalidPath> {
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        // Some servers cut path parameters off before they resolve dot segments: `..;x`.
        let name = segment.split(';').next().unwrap_or_default();
        let is_dots = name == "." || name == "..";
        let is_gap = segment.is_empty() && segments.peek().is_some();
        if is_dots || is_gap {
            return Err(InvalidPath);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_stay_as_they_are() {
        for path in [
            "/",
            "/api/products",
            "/api/products/",
            "/.well-known/jwks.json",
            "/a;b=c/d,e/@f:g",
            "/...",
            "/a..b/..c",
        ] {
            assert!(
                matches!(normalize(path), Ok(Cow::Borrowed(normal)) if normal == path),
                "{path}"
            );
        }
    }

    #[test]
    fn escapes_have_one_spelling() {
        for (path, normal) in [
            ("/%61pi/%70roducts", "/api/products"),
            ("/a%20b%c3%a9", "/a%20b%C3%A9"),
            ("/%7euser", "/~user"),
            ("/a%3bb", "/a%3Bb"),
            ("/%2ewell-known", "/.well-known"),
        ] {
            assert_eq!(normalize(path).as_deref(), Ok(normal));
        }
    }

    #[test]
    fn ambiguous_and_malformed_paths_are_refused() {
        for path in [
            "",
            "*",
            "api",
            "//",
            "//api",
            "/api//products",
            "/.",
            "/..",
            "/api/../internal",
            "/api/./products",
            "/api/..;/internal",
            "/api/..;a=b/internal",
            "/api/.;/internal",
            "/api/%2e%2e/internal",
            "/api/%2E./internal",
            "/api/.%2e;/internal",
            "/api/%2e%2e%3b/internal",
            "/api%2finternal",
            "/api%2Finternal",
            "/api/%5cinternal",
            "/api/\\internal",
            "/api/%00",
            "/api/%0d%0aa",
            "/api/%7f",
            "/api/%252e%252e/internal",
            "/api/%25",
            "/api/%c0%ae%c0%ae/internal",
            "/api/%c0%af",
            "/api/%ff",
            "/api/%",
            "/api/%2",
            "/api/%zz",
            "/api/%+1",
            "/a b",
            "/a\tb",
            "/a\"b",
            "/<a>",
            "/a|b",
            "/{a}",
            "/\u{e9}",
            "/a#b",
        ] {
            assert_eq!(normalize(path), Err(InvalidPath), "{path}");
        }
    }
}
