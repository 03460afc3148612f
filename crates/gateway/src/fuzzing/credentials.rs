//! `Authorization` and `Cookie`: the token that the gateway verifies is the one that the service receives, and no other cookie passes.

use auth::{AuthError, bearer_token};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};

use crate::cookies::Cookies;
use crate::handle::token;
use crate::headers::set_credentials;

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
    let passed = PASSED.map(str::to_owned);
    let cookies = Cookies::read(headers, ACCESS, &passed);
    check_cookies(headers, &cookies, &passed);
    let verified = token(headers, &cookies).map(<[u8]>::to_vec);
    let (text, is_used) = (cookies.passed.clone(), cookies.are_used());
    set_credentials(headers, cookies);

    let received = received_token(headers);
    match verified {
        Ok(token) => assert_eq!(
            received.as_ref(),
            Ok(&token),
            "the service receives another token"
        ),
        Err(AuthError::NoToken) => assert_eq!(received, Err(AuthError::NoToken)),
        Err(error) => assert_eq!(error, AuthError::AmbiguousCredentials),
    }
    let lines: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    if text.is_empty() {
        assert!(lines.is_empty());
    } else {
        assert!(lines == [text.as_bytes()] && is_used);
    }
}

/// The token that a service finds. White space around a header's value is not part of it (RFC 9110 §5.5).
fn received_token(headers: &HeaderMap) -> Result<Vec<u8>, AuthError> {
    let values = headers.get_all(AUTHORIZATION).iter();
    bearer_token(values.map(|value| value.as_bytes().trim_ascii())).map(<[u8]>::to_vec)
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

fn check_cookies(headers: &HeaderMap, cookies: &Cookies, passed: &[String]) {
    let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs: Vec<_> = lines
        .flat_map(|line| line.split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .collect();
    let access_pairs = pairs
        .iter()
        .filter(|pair| pair.is_ascii() && pair.starts_with(b"access="));
    let access_count = access_pairs.count();
    if let Some(access) = &cookies.access {
        assert_eq!(access_count, 1, "an ambiguous cookie");
        assert!(
            !access.is_empty()
                && access
                    .bytes()
                    .all(|byte| byte != b';' && (byte == b'\t' || byte >= b' '))
        );
    }
    for pair in cookies.passed.split("; ").filter(|pair| !pair.is_empty()) {
        let (name, _) = pair.split_once('=').expect("a name");
        assert!(PASSED.contains(&name), "{name}");
        assert!(pairs.contains(&pair.as_bytes()));
    }
    // The service reads the same cookies.
    let mut received = HeaderMap::new();
    received.insert(COOKIE, HeaderValue::from_str(&cookies.passed).expect("a value"));
    let again = Cookies::read(&received, ACCESS, passed);
    assert_eq!((again.access, again.passed), (None, cookies.passed.clone()));
}
