//! Conditional requests (RFC 9110 §13): a client reads only what changed, and changes only the version that it has seen.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use actix_web::http::header::{ETAG, EntityTag, Header as _, IF_MATCH, IF_NONE_MATCH, IfMatch, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use crate::problem::RequestError;

/// The strong entity tag of a row's version.
#[must_use]
pub fn of_version(version: i64) -> EntityTag {
    EntityTag::new_strong(version.to_string())
}

/// Whether a request may change this version: it has no `If-Match`, or one with `*` or with this version's tag (RFC 9110
/// §13.1.1, strong comparison). The handler answers 412 if not.
///
/// # Errors
/// [`RequestError::InvalidHeader`] if `If-Match` is not a list of entity tags: an invalid condition must not count as met.
pub fn allows_change(request: &HttpRequest, current: &EntityTag) -> Result<bool, RequestError> {
    if !request.headers().contains_key(IF_MATCH) {
        return Ok(true);
    }
    match IfMatch::parse(request).map_err(|_| RequestError::InvalidHeader("If-Match"))? {
        IfMatch::Any => Ok(true),
        IfMatch::Items(tags) if tags.is_empty() => Err(RequestError::InvalidHeader("If-Match")),
        IfMatch::Items(tags) => Ok(tags.iter().any(|tag| tag.strong_eq(current))),
    }
}

/// The weak entity tag of a representation without a version, such as a page of a list.
#[must_use]
pub fn of_content(representation: &impl Serialize) -> EntityTag {
    let mut hasher = DefaultHasher::new();
    serde_json::to_vec(representation)
        .unwrap_or_default()
        .hash(&mut hasher);
    EntityTag::new_weak(format!("{:016x}", hasher.finish()))
}

/// The response to a read: the representation with its tag, or 304 if the client already has it (RFC 9110 §13.1.2, weak
/// comparison). An invalid `If-None-Match` is ignored.
#[must_use]
pub fn respond(request: &HttpRequest, tag: EntityTag, representation: &impl Serialize) -> HttpResponse {
    let is_known = request.headers().contains_key(IF_NONE_MATCH)
        && match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|known| known.weak_eq(&tag)),
            Err(_) => false,
        };
    if is_known {
        return HttpResponse::NotModified().insert_header((ETAG, tag)).finish();
    }
    HttpResponse::Ok().insert_header((ETAG, tag)).json(representation)
}
