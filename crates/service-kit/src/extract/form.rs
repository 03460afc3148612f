//! A form, as the endpoints of OAuth take it (RFC 6749 appendix B): bounded and with no parameter twice.

use std::collections::HashSet;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::body::{check_headers, read};
use crate::problem::RequestError;

/// A body of `application/x-www-form-urlencoded`, as a `T` whose fields are [`Option`]s. As RFC 6749 §3.2 has it, a parameter
/// without a value counts as left out, one given twice is refused, and those that `T` does not have are left alone.
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
    let unreadable = |_| RequestError::MalformedForm("it can't be read");
    let mut given: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(unreadable)?;
    // What stands there for whatever is not UTF-8.
    let is_text = |text: &str| !text.contains(char::REPLACEMENT_CHARACTER);
    if !given.iter().all(|(name, value)| is_text(name) && is_text(value)) {
        return Err(RequestError::MalformedForm("it is not UTF-8"));
    }
    let mut names = HashSet::new();
    if !given.iter().all(|(name, _)| names.insert(name.as_str())) {
        return Err(RequestError::MalformedForm("a parameter is given twice"));
    }
    given.retain(|(_, value)| !value.is_empty());
    let given = serde_urlencoded::to_string(given).unwrap_or_default();
    serde_urlencoded::from_str(&given).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Asked {
        token: Option<String>,
        hint: Option<String>,
    }

    fn read(body: &[u8]) -> Result<(Option<String>, Option<String>), RequestError> {
        parse::<Asked>(body).map(|asked| (asked.token, asked.hint))
    }

    #[test]
    fn parameters_are_decoded_and_others_are_left_alone() {
        assert_eq!(read(b"token=a").unwrap(), (Some("a".to_owned()), None));
        assert_eq!(
            read(b"other=1&token=a+b%20c%2B%C3%A9%26&hint==").unwrap(),
            (Some("a b c+\u{e9}&".to_owned()), Some("=".to_owned()))
        );
        assert_eq!(read(b"%74oken=a&&").unwrap(), (Some("a".to_owned()), None));
        assert_eq!(read(b"").unwrap(), (None, None));
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_left_out() {
        assert_eq!(read(b"token=&hint").unwrap(), (None, None));
    }

    #[test]
    fn a_parameter_given_twice_is_refused_whichever_it_is() {
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
    fn what_is_not_utf8_is_refused() {
        for body in [&b"token=\xff"[..], b"token=%ff", b"%c3=1", b"token=%ef%bf%bd"] {
            assert_eq!(
                read(body),
                Err(RequestError::MalformedForm("it is not UTF-8")),
                "{body:?}"
            );
        }
    }
}
