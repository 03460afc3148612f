//! Finds the credentials of a request in its headers: the bearer token, and the identity token.

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};

use crate::error::AuthError;
use crate::identity::IDENTITY_HEADER;

/// The bearer token of a request. Tokens in a body or query are not accepted.
pub(crate) fn bearer_token_of(headers: &HeaderMap) -> Result<&[u8], AuthError> {
    bearer_token(headers.get_all(AUTHORIZATION).map(HeaderValue::as_bytes))
}

/// The bearer token in the values of a request's `Authorization` headers (RFC 6750 §2.1), for programs of any framework.
///
/// # Errors
/// [`AuthError::NoToken`] without a header or with another scheme, and [`AuthError::AmbiguousCredentials`] with several headers.
pub fn bearer_token<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Result<&'v [u8], AuthError> {
    let mut values = values.into_iter();
    let value = values.next().ok_or(AuthError::NoToken)?;
    if values.next().is_some() {
        return Err(AuthError::AmbiguousCredentials);
    }

    // RFC 6750 §2.1 allows several spaces. No client sends them, so only one is accepted.
    let mut parts = value.splitn(2, |byte| *byte == b' ');
    let scheme = parts.next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(AuthError::NoToken);
    }
    // A missing token becomes an empty one. The verifier refuses all bytes that don't have the form of a token.
    Ok(parts.next().unwrap_or_default())
}

/// The identity token, if the request has the header. An empty header is an identity token that is refused.
pub(crate) fn identity_token(headers: &HeaderMap) -> Result<Option<&[u8]>, AuthError> {
    let mut values = headers.get_all(IDENTITY_HEADER);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(AuthError::AmbiguousIdentity);
    }
    Ok(Some(value.as_bytes()))
}
