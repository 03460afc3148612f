//! `Authorization` and `Cookie`: the token that the gateway verifies is the one that the service receives, and no other cookie passes.

use auth::{AuthError, FoundCookie, bearer_token, find_cookie};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue};

use crate::cookies::passed;
use crate::headers::{bearer, bearer_token_of, set_credentials};

const ACCESS: &str = "access";
const PASSED: [&str; 2] = ["one", "two"];

/// The input has lines: those that begin with `a` are values of `Authorization`, the others of `Cookie`.
pub fn credentials(input: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in input.split(|byte| *byte == b'\n').take(8) {
        let (name, value) = match line {
            [b'a', value @ ..] => (AUTHORIZATION, value),
            [_, value @ ..] => (COOKIE, value),
            [] => continue,
        };
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    check_bearer(&headers);
    check(&mut headers);
}

/// Checks what becomes of the credentials in these headers.
pub(super) fn check(headers: &mut HeaderMap) {
    let names = PASSED.map(str::to_owned);
    let passed = passed(headers, &names);
    check_passed(headers, passed.as_ref(), &names);
    let access = find_cookie(values(headers, COOKIE), ACCESS);
    check_access(headers, access);
    let token = match access {
        FoundCookie::Value(token) => Some(token.to_vec()),
        FoundCookie::Missing | FoundCookie::Unusable => None,
    };

    let expected = match bearer_token_of(headers).map(<[u8]>::to_vec) {
        Err(AuthError::NoToken) => token.clone().ok_or(AuthError::NoToken),
        other => other,
    };
    set_credentials(headers, passed.clone(), token.as_deref().and_then(bearer));
    assert_eq!(
        received_token(headers),
        expected,
        "the service receives another token"
    );
    let lines: Vec<_> = values(headers, COOKIE).collect();
    assert!(lines == Vec::from_iter(passed.as_ref().map(HeaderValue::as_bytes)));
}

fn values(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).iter().map(HeaderValue::as_bytes)
}

/// The token that a service finds. White space around a header's value is not part of it (RFC 9110 §5.5).
fn received_token(headers: &HeaderMap) -> Result<Vec<u8>, AuthError> {
    bearer_token(values(headers, AUTHORIZATION).map(<[u8]>::trim_ascii)).map(<[u8]>::to_vec)
}

fn check_bearer(headers: &HeaderMap) {
    let values: Vec<_> = headers
        .get_all(AUTHORIZATION)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    match (bearer_token(values.iter().copied()), values.as_slice()) {
        (Ok(token), [value]) => {
            assert!(value[..6].eq_ignore_ascii_case(b"bearer"));
            assert!(value.ends_with(token));
            assert!(matches!(value.get(6), None | Some(b' ')));
        }
        (Err(AuthError::NoToken), [] | [_]) | (Err(AuthError::AmbiguousCredentials), [_, _, ..]) => {}
        other => panic!("{other:?}"),
    }
}

/// The pairs of all `Cookie` headers.
fn pairs(headers: &HeaderMap) -> Vec<&[u8]> {
    let pairs = values(headers, COOKIE).flat_map(|line| line.split(|byte| *byte == b';'));
    pairs.map(<[u8]>::trim_ascii).collect()
}

fn check_access(headers: &HeaderMap, access: FoundCookie<'_>) {
    let pairs = pairs(headers);
    let values: Vec<_> = pairs
        .iter()
        .filter_map(|pair| pair.strip_prefix(b"access="))
        .collect();
    match access {
        FoundCookie::Missing => assert!(values.is_empty()),
        FoundCookie::Unusable => {
            assert!(values.len() != 1 || values[0].iter().all(|byte| b"\" \t".contains(byte)));
        }
        FoundCookie::Value(token) => {
            assert!(values.len() == 1, "an ambiguous cookie");
            assert!(!token.is_empty() && token.trim_ascii() == token && !token.contains(&b';'));
            assert!(values[0].windows(token.len()).any(|part| part == token));
        }
    }
}

fn check_passed(headers: &HeaderMap, value: Option<&HeaderValue>, names: &[String]) {
    let pairs = pairs(headers);
    let text = value.map_or(&b""[..], HeaderValue::as_bytes);
    let passed_pairs = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    for pair in passed_pairs.filter(|pair| !pair.is_empty()) {
        let is_named = |name: &&str| {
            pair.strip_prefix(name.as_bytes())
                .is_some_and(|rest| rest.starts_with(b"="))
        };
        assert!(PASSED.iter().any(is_named));
        assert!(pairs.contains(&pair));
    }
    // The service reads the same cookies.
    let mut received = HeaderMap::new();
    received.extend(value.cloned().map(|value| (COOKIE, value)));
    for name in PASSED {
        assert_eq!(
            find_cookie(values(&received, COOKIE), name),
            find_cookie(values(headers, COOKIE), name)
        );
    }
    assert_eq!(
        find_cookie(values(&received, COOKIE), ACCESS),
        FoundCookie::Missing
    );
    assert_eq!(passed(&received, names).as_ref(), value);
}
