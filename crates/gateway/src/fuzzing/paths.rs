//! Targets of requests: the path that a service receives has one meaning, and leads where the route says.

use http::Uri;
use url::Url;

use super::TABLE;
use crate::path::normalize;
use crate::request_facts::upstream_uri;

/// The input is a path, or the target of a request.
pub fn paths(input: &[u8]) {
    if let Ok(path) = std::str::from_utf8(input) {
        check(path, None);
    }
    if let Ok(uri) = Uri::try_from(input) {
        check(uri.path(), uri.query());
    }
}

fn check(path: &str, query: Option<&str>) {
    let Ok(normal) = normalize(path) else { return };
    assert_eq!(normalize(&normal).as_deref(), Ok(&*normal), "normalized twice");
    check_normal(&normal);
    assert_eq!(decode(&normal), decode(path), "another path");
    let Some(route) = TABLE.find(&normal) else { return };
    let upstream = route.upstream_path(&normal);
    check_normal(&upstream);
    let rest = upstream
        .strip_prefix(&route.rules.upstream_prefix)
        .expect("the service's prefix");
    assert!(rest.is_empty() || rest.starts_with('/'), "{upstream}");
    let public = TABLE.public_path(&route.upstream.name, &upstream);
    assert_eq!(public.as_deref(), Some(&*normal));
    if let Ok(uri) = upstream_uri(upstream.clone(), query) {
        assert_eq!((uri.path(), uri.query()), (upstream.as_str(), query));
        assert!(
            uri.to_string()
                .bytes()
                .all(|byte| byte.is_ascii_graphic() || !byte.is_ascii()),
            "{uri}"
        );
    }
}

/// Checks that a path in normal form is the same path for every program.
fn check_normal(path: &str) {
    assert!(
        path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()),
        "{path}"
    );
    for ambiguous in ["\\", "%2F", "%5C", "%25", "%00", "%2E", "%7E", "//", "?", "#"] {
        assert!(!path.contains(ambiguous), "{path}");
    }
    let escapes = path.split('%').skip(1);
    for escape in escapes {
        let digits = escape.get(..2).expect("two digits").as_bytes();
        assert!(
            digits.iter().all(|digit| b"0123456789ABCDEF".contains(digit)),
            "{path}"
        );
    }
    let decoded = decode(path);
    assert_eq!(decode(&decoded), decoded, "encoded twice");
    assert!(
        !decoded
            .chars()
            .any(|char| char.is_ascii_control() || char == '\\'),
        "{path}"
    );
    for segment in decoded.split('/') {
        // Some servers cut off what follows a semicolon.
        let name = segment.split(';').next().unwrap_or_default();
        assert!(name != "." && name != "..", "{path}");
    }
    // As browsers and many programs read it (WHATWG URL).
    let url = Url::parse(&format!("http://service{path}")).expect("a URL");
    assert_eq!(url.path(), path);
}

/// Decodes every escape. Bytes that are not UTF-8 would be ambiguous.
fn decode(path: &str) -> String {
    let mut decoded = Vec::new();
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        let hex = |digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        match (byte, after.split_at_checked(2)) {
            (b'%', Some((digits, after))) if digits.iter().all(u8::is_ascii_hexdigit) => {
                decoded.extend(hex(digits));
                rest = after;
            }
            _ => decoded.push(*byte),
        }
    }
    String::from_utf8(decoded).expect("UTF-8")
}
