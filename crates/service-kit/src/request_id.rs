//! Request ids.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters that a caller's id may have.
const MAX_LENGTH: usize = 128;

/// The id of a request, by which its lines are found in the logs of all services that it passed through.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Takes the caller's `X-Request-Id` if it consists of up to 128 letters, digits, dots, hyphens and underscores.
    /// Anything else could forge lines in a log, and is replaced by a new id.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(id) if Self::is_plain(id.as_bytes()) => Self(id.clone()),
            _ => Self(new_id()),
        }
    }

    /// Whether a caller's id is taken over.
    #[must_use]
    pub fn is_plain(id: &[u8]) -> bool {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(is_plain)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl From<RequestId> for HeaderValue {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

/// A random UUID (RFC 9562 §5.4), which reveals neither time nor order.
fn new_id() -> HeaderValue {
    HeaderValue::from_str(
        Uuid::new_v4()
            .hyphenated()
            .encode_lower(&mut Uuid::encode_buffer()),
    )
    .unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn new_ids_are_random_uuids() {
        let mut seen = HashSet::new();
        for _ in 0..1_000 {
            let id = new_id().to_str().unwrap().to_owned();
            let uuid: Uuid = id.parse().unwrap();
            assert_eq!(uuid.get_version_num(), 4);
            assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
            assert!(seen.insert(id));
        }
    }
}
