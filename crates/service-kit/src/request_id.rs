//! Request ids.

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::{Builder, Uuid};

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Characters that a caller's id may have.
const MAX_LENGTH: usize = 128;

/// The id of a request, by which its lines are found in the logs of all services that it passed through.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// Takes the caller's `X-Request-Id` if it consists of up to 128 letters, digits, dots, hyphens and underscores.
    /// Anything else could forge lines in a log, and is replaced by a new id.
    pub(crate) fn of(headers: &HeaderMap, new_ids: &NewIds) -> Self {
        match headers.get(X_REQUEST_ID) {
            Some(id) if is_plain(id.as_bytes()) => Self(id.clone()),
            _ => Self(new_ids.next()),
        }
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

fn is_plain(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(is_plain)
}

/// Makes new ids: random UUIDs (RFC 9562 §5.4), which reveal neither time nor order.
///
/// They are a counter, hashed with keys that the operating system chose. That saves the system call that each
/// `Uuid::new_v4` makes. A request id is no secret, so the hash need not be a cryptographic one.
#[derive(Default)]
pub(crate) struct NewIds {
    keys: [RandomState; 2],
    counter: Cell<u64>,
}

impl NewIds {
    fn next(&self) -> HeaderValue {
        let counter = self.counter.get();
        self.counter.set(counter.wrapping_add(1));

        let [high, low] = self.keys.each_ref().map(|keys| keys.hash_one(counter));
        let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
        let id = Builder::from_random_bytes(bytes).into_uuid();
        HeaderValue::from_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            .unwrap_or(HeaderValue::from_static("none"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn new_ids_are_random_uuids_and_differ_between_workers() {
        let workers = [NewIds::default(), NewIds::default()];
        let mut seen = HashSet::new();
        for worker in &workers {
            for _ in 0..1_000 {
                let id = worker.next().to_str().unwrap().to_owned();
                let uuid: Uuid = id.parse().unwrap();
                assert_eq!(uuid.get_version_num(), 4);
                assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
                assert!(seen.insert(id));
            }
        }
    }
}
