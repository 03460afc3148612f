//! Forms, as the OAuth endpoints take them (RFC 6749 appendix B).

use std::collections::HashSet;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::body::{check_headers, read};
use super::urlencoded::check_encoding;
use crate::problem::RequestError;

/// A body of type `application/x-www-form-urlencoded`, as a `T` whose fields are [`Option`]s. As RFC 6749 §3.2 requires, a
/// parameter without a value counts as omitted, one that is repeated is refused, and unknown parameters are ignored.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = RequestError;
    type Future = LocalBoxFuture<'static, Result<Self, RequestError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = check_headers(request.headers(), "application/x-www-form-urlencoded");
        let payload = payload.take();
        Box::pin(async move {
            headers?;
            parse(&read(payload).await?).map(Self)
        })
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    check_encoding(body).map_err(RequestError::MalformedForm)?;
    let unreadable = |_| RequestError::MalformedForm("it can't be read");
    let mut parameters: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(unreadable)?;

    let mut names = HashSet::new();
    if !parameters.iter().all(|(name, _)| names.insert(name.as_str())) {
        return Err(RequestError::MalformedForm("a parameter is given twice"));
    }

    parameters.retain(|(_, value)| !value.is_empty());
    let parameters = serde_urlencoded::to_string(parameters).unwrap_or_default();
    serde_urlencoded::from_str(&parameters).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Revocation {
        token: Option<String>,
        hint: Option<String>,
    }

    fn read(body: &[u8]) -> Result<(Option<String>, Option<String>), RequestError> {
        parse::<Revocation>(body).map(|form| (form.token, form.hint))
    }

    #[test]
    fn parameters_are_decoded_and_unknown_ones_are_ignored() {
        assert_eq!(read(b"token=a").unwrap(), (Some("a".to_owned()), None));
        assert_eq!(
            read(b"other=1&token=a+b%20c%2B%C3%A9%26&hint==").unwrap(),
            (Some("a b c+\u{e9}&".to_owned()), Some("=".to_owned()))
        );
        assert_eq!(read(b"%74oken=a&&").unwrap(), (Some("a".to_owned()), None));
        assert_eq!(
            read(b"token=%ef%bf%bd").unwrap(),
            (Some("\u{fffd}".to_owned()), None)
        );
        assert_eq!(read(b"").unwrap(), (None, None));
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_omitted() {
        assert_eq!(read(b"token=&hint").unwrap(), (None, None));
    }

    #[test]
    fn a_repeated_parameter_is_refused_even_an_unknown_one() {
        for body in [
            "token=a&token=a",
            "token=a&%74oken=b",
            "token=&token=a",
            "other=1&token=a&other=2",
            "=1&=2",
        ] {
            let refused = RequestError::MalformedForm("a parameter is given twice");
            assert_eq!(read(body.as_bytes()), Err(refused), "{body}");
        }
    }

    #[test]
    fn malformed_encoding_is_refused() {
        for body in [&b"token=\xff"[..], b"token=%ff", b"%c3=1", b"other=%c3%28"] {
            assert_eq!(
                read(body),
                Err(RequestError::MalformedForm("it is not UTF-8")),
                "{body:?}"
            );
        }
        for body in [&b"token=%zz"[..], b"token=%", b"token=%4", b"other=100%&token=a"] {
            let refused = RequestError::MalformedForm("a percent sign must be followed by two hex digits");
            assert_eq!(read(body), Err(refused), "{body:?}");
        }
    }
}
