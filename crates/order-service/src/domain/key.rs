//! What makes a request repeatable.

use actix_web::http::header::HeaderMap;
use service_kit::RequestError;

const HEADER: &str = "idempotency-key";

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters of the client's own choice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key that a request bears, if it bears one.
    ///
    /// # Errors
    /// When it bears several, or what can't be one.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Option<Self>, RequestError> {
        let mut keys = headers.get_all(HEADER);
        let (first, more) = (keys.next(), keys.next().is_some());
        let Some(key) = first else { return Ok(None) };
        let is_key = (1..=255).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
        match key.to_str() {
            Ok(key) if is_key && !more => Ok(Some(Self(key.to_owned()))),
            _ => Err(RequestError::InvalidHeader("Idempotency-Key")),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn read(keys: &[&str]) -> Result<Option<IdempotencyKey>, RequestError> {
        let mut headers = HeaderMap::new();
        for key in keys {
            headers.append(HeaderName::from_static(HEADER), HeaderValue::from_bytes(key.as_bytes()).unwrap());
        }
        IdempotencyKey::of(&headers)
    }

    #[test]
    fn a_key_is_one_word_of_up_to_255_visible_characters() {
        assert_eq!(read(&[]), Ok(None));
        let longest = "x".repeat(255);
        for key in ["a", "8e03978e-40d5-43e8-bc93-6894a57f9324", "!~", &longest] {
            assert_eq!(read(&[key]), Ok(Some(IdempotencyKey(key.to_owned()))));
        }
        for keys in [&[""][..], &["a b"], &["é"], &["a\tb"], &[&"x".repeat(256)], &["a", "a"]] {
            assert_eq!(read(keys), Err(RequestError::InvalidHeader("Idempotency-Key")), "{keys:?}");
        }
    }
}
