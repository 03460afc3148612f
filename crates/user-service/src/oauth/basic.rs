//! HTTP Basic authentication (RFC 7617) in the form that OAuth uses (RFC 6749 §2.3.1).

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

use super::error::OAuthError;

/// Reads name and secret from the `Authorization` header.
pub(super) fn credentials(headers: &HeaderMap) -> Result<(String, String), OAuthError> {
    let mut headers = headers.get_all(AUTHORIZATION);
    let header = headers.next().ok_or(OAuthError::InvalidClient)?;
    if headers.next().is_some() {
        return Err(OAuthError::InvalidRequest("Send one Authorization header."));
    }
    header
        .to_str()
        .ok()
        .and_then(parse)
        .ok_or(OAuthError::InvalidClient)
}

fn parse(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    // The name contains no colon, the secret may (RFC 7617 §2).
    let (name, secret) = pair.split_once(':')?;
    Some((form_decode(name)?, form_decode(secret)?))
}

/// Decodes `application/x-www-form-urlencoded`. A client encodes name and secret in this form before it joins them (RFC 6749
/// §2.3.1).
fn form_decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic(pair: &[u8]) -> Option<(String, String)> {
        parse(&format!("Basic {}", STANDARD.encode(pair)))
    }

    fn pair(name: &str, secret: &str) -> (String, String) {
        (name.to_owned(), secret.to_owned())
    }

    #[test]
    fn both_parts_are_form_decoded() {
        // RFC 7617 §2.
        assert_eq!(
            parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            Some(pair("Aladdin", "open sesame"))
        );
        assert_eq!(
            parse("bASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            Some(pair("Aladdin", "open sesame"))
        );
        assert_eq!(
            basic(b"order%2Dservice:a%2Bb%2Fc%3D"),
            Some(pair("order-service", "a+b/c="))
        );
        assert_eq!(basic(b"a+b:%C3%A9+%25"), Some(pair("a b", "\u{e9} %")));
        assert_eq!(basic("a:\u{e9}".as_bytes()), Some(pair("a", "\u{e9}")));
    }

    #[test]
    fn the_first_unencoded_colon_separates_name_and_secret() {
        assert_eq!(basic(b"a:b:c"), Some(pair("a", "b:c")));
        assert_eq!(basic(b"a%3Ab:c"), Some(pair("a:b", "c")));
        assert_eq!(basic(b"a:"), Some(pair("a", "")));
        assert_eq!(basic(b":b"), Some(pair("", "b")));
    }

    #[test]
    fn a_malformed_header_is_refused() {
        let right = STANDARD.encode("a:bc");
        for header in [
            "",
            "Basic",
            "Basic ",
            &right,
            &format!("Basic  {right}"),
            &format!("Basic {right} "),
            &format!("Basic\t{right}"),
            &format!("Basic {}", right.trim_end_matches('=')),
            &format!("Basic {right}="),
            &format!("Bearer {right}"),
            &format!("Basic {right}, Bearer x"),
            "Basic a:b",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
        for pair in [&b"ab"[..], b"", b"a:\xff", b"a:%ff", b"\xff:b"] {
            assert_eq!(basic(pair), None, "{pair:?}");
        }
    }
}
