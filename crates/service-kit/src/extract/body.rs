//! JSON bodies.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use auth::FieldError;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use garde::Validate;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use utoipa::ToSchema;

use super::object::Object;
use super::{serde_error, strict};
use crate::problem::RequestError;

/// The longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

const JSON: &str = "application/json";

/// The most fields that a refusal lists.
const MAX_FIELD_ERRORS: usize = 20;

/// How long to wait for a body.
const TIMEOUTS: Timeouts = Timeouts {
    idle: Duration::from_secs(15),
    total: Duration::from_secs(20),
};

struct Timeouts {
    /// For its next bytes.
    idle: Duration,
    /// For all of it. Shorter than a handler's deadline, so that a client that sends too slowly gets 408 and not 503.
    total: Duration,
}

/// A JSON body of type `T`, which has `#[serde(deny_unknown_fields)]` and [`garde`]'s rules.
///
/// Use [`OptionalBody`] if the body may be omitted. `Option<Body<T>>` would hide every error.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T> FromRequest for Body<T>
where
    T: DeserializeOwned + Validate<Context = ()> + 'static,
{
    type Error = RequestError;
    type Future = LocalBoxFuture<'static, Result<Self, RequestError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = check_headers(request.headers(), JSON);
        let payload = payload.take();
        Box::pin(async move {
            headers?;
            parse(&read(payload).await?).map(Self)
        })
    }
}

/// As [`Body`], but the client may omit it.
#[derive(Debug)]
pub struct OptionalBody<T>(pub Option<T>);

impl<T> FromRequest for OptionalBody<T>
where
    T: DeserializeOwned + Validate<Context = ()> + 'static,
{
    type Error = RequestError;
    type Future = LocalBoxFuture<'static, Result<Self, RequestError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = request.headers();
        let checked = check_headers(headers, JSON);
        // A request without either header has no body (RFC 9112 §6.3). A chunked one may turn out to be empty.
        let is_chunked = headers.contains_key(TRANSFER_ENCODING);
        let has_length = headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length.as_bytes() != b"0");
        let has_type = headers.contains_key(CONTENT_TYPE);
        let payload = payload.take();
        Box::pin(async move {
            if !is_chunked && !has_length {
                return Ok(Self(None));
            }
            if has_type {
                checked.as_ref().map_err(RequestError::clone)?;
            }
            let body = read(payload).await?;
            if body.is_empty() {
                return Ok(Self(None));
            }
            checked?;
            parse(&body).map(|value| Self(Some(value)))
        })
    }
}

/// The [`OptionalBody`] of a request that needs no body. Some clients send `{}` with every `POST`.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[schema(description = "An object without members. The body may also be empty.")]
#[serde(deny_unknown_fields)]
pub struct EmptyObject {}

/// Refuses a body by its headers: wrong media type, charset or content coding, or a length above [`MAX_BODY_BYTES`].
pub(super) fn check_headers(headers: &HeaderMap, media_type: &'static str) -> Result<(), RequestError> {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let (essence, parameters) = {
        let value = text(CONTENT_TYPE);
        value.split_once(';').unwrap_or((value, ""))
    };
    let is_utf8 = parameters
        .split(';')
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        });
    let is_plain = !headers.contains_key(CONTENT_ENCODING) || text(CONTENT_ENCODING) == "identity";
    if !essence.trim().eq_ignore_ascii_case(media_type) || !is_utf8 || !is_plain {
        return Err(RequestError::UnsupportedMediaType(media_type));
    }
    if text(CONTENT_LENGTH)
        .parse::<usize>()
        .is_ok_and(|length| length > MAX_BODY_BYTES)
    {
        return Err(RequestError::BodyTooLarge);
    }
    Ok(())
}

/// Reads the whole body.
pub(super) async fn read(payload: Payload) -> Result<Bytes, RequestError> {
    read_within(&TIMEOUTS, payload).await
}

async fn read_within(timeouts: &Timeouts, mut payload: Payload) -> Result<Bytes, RequestError> {
    let end = Instant::now() + timeouts.total;
    let mut body = BytesMut::new();
    loop {
        let deadline = end.min(Instant::now() + timeouts.idle);
        let chunk = timeout_at(deadline, payload.next())
            .await
            .map_err(|_| RequestError::BodyTimeout)?;
        let Some(chunk) = chunk else {
            return Ok(body.freeze());
        };
        let chunk = chunk.map_err(|_| RequestError::BodyIncomplete)?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(RequestError::BodyTooLarge);
        }
        body.extend_from_slice(&chunk);
    }
}

fn parse<T: DeserializeOwned + Validate<Context = ()>>(body: &[u8]) -> Result<T, RequestError> {
    // A number that is out of range is well-formed JSON: it is reported below, with the name of its field.
    let well_formed = strict::check(body);
    if let Err(error) = &well_formed
        && !serde_error::is_out_of_range(error)
    {
        return Err(RequestError::MalformedJson(serde_error::message(error)));
    }

    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let Object(value): Object<T> = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| serde_error::field_error(&error))?;
    well_formed.map_err(|error| RequestError::MalformedJson(serde_error::message(&error)))?;

    value.validate().map_err(|report| {
        let fields = report.iter().map(|(path, error)| FieldError {
            field: path.to_string(),
            message: error.message().to_owned(),
        });
        RequestError::Invalid(fields.take(MAX_FIELD_ERRORS).collect())
    })?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use actix_web::error::PayloadError;
    use futures_util::Stream;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[garde(length(chars, min = 1))]
        note: String,
        #[garde(dive)]
        #[serde(deserialize_with = "super::super::object_list")]
        lines: Vec<Line>,
    }

    #[derive(Debug, Deserialize, Validate, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[garde(range(min = 1, max = 9))]
        quantity: i64,
    }

    fn refused(body: &str) -> RequestError {
        parse::<Order>(body.as_bytes()).unwrap_err()
    }

    fn fields(body: &str) -> Vec<(String, String)> {
        let RequestError::Invalid(fields) = refused(body) else {
            panic!("not invalid: {:?}", refused(body))
        };
        fields
            .into_iter()
            .map(|field| (field.field, field.message))
            .collect()
    }

    fn pair(field: &str, message: &str) -> Vec<(String, String)> {
        vec![(field.to_owned(), message.to_owned())]
    }

    fn payload(chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static) -> Payload {
        let chunks: Pin<Box<dyn Stream<Item = _>>> = Box::pin(chunks);
        Payload::from(chunks)
    }

    #[actix_web::test]
    async fn a_body_that_arrives_too_slowly_is_given_up() {
        let timeouts = Timeouts {
            idle: Duration::from_millis(100),
            total: Duration::from_millis(400),
        };
        let drip = |pause: u64, count: usize| {
            let byte = move |left: usize| async move {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                (left > 0).then(|| (Ok(Bytes::from_static(b"x")), left - 1))
            };
            payload(futures_util::stream::unfold(count, byte))
        };
        let started = Instant::now();
        assert_eq!(
            read_within(&timeouts, drip(10, usize::MAX)).await,
            Err(RequestError::BodyTimeout)
        );
        assert!(started.elapsed() >= timeouts.total);
        assert_eq!(
            read_within(&timeouts, drip(300, 1)).await,
            Err(RequestError::BodyTimeout)
        );
        assert_eq!(
            read_within(&timeouts, drip(1, 3)).await,
            Ok(Bytes::from_static(b"xxx"))
        );
    }

    #[test]
    fn a_valid_body_is_parsed() {
        let order = parse::<Order>(br#"{"note": "n", "lines": [{"quantity": 9}]}"#).unwrap();
        assert_eq!(
            order,
            Order {
                note: "n".to_owned(),
                lines: vec![Line { quantity: 9 }]
            }
        );
    }

    #[test]
    fn a_body_that_is_not_json_is_malformed() {
        let deep = "[".repeat(200);
        for body in [
            "",
            "{",
            "nope",
            "{\"note\": \"a\"} x",
            "{'note': 1}",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(matches!(refused(body), RequestError::MalformedJson(_)), "{body}");
        }
        assert!(matches!(
            parse::<Order>(b"{\"note\": \"\xff\"}"),
            Err(RequestError::MalformedJson(_))
        ));
    }

    #[test]
    fn a_repeated_member_is_malformed_at_any_depth() {
        for body in [
            r#"{"note": "a", "lines": [], "note": "b"}"#,
            r#"{"note": "a", "lines": [{"quantity": 1, "quantity": 2}]}"#,
            r#"{"note": "a", "n\u006fte": "b", "lines": []}"#,
            r#"{"x": {"y": 1, "y": 2}}"#,
        ] {
            assert!(matches!(refused(body), RequestError::MalformedJson(_)), "{body}");
        }
    }

    #[test]
    fn an_invalid_value_is_reported_with_its_field() {
        assert_eq!(fields(r#"{"note": "n"}"#), pair("lines", "is missing"));
        assert_eq!(
            fields(r#"{"note": "n", "lines": [], "role": "admin"}"#),
            pair("role", "is not known here")
        );
        assert_eq!(
            fields(r#"{"note": 7, "lines": []}"#),
            pair("note", "must be a string")
        );
        assert_eq!(
            fields(r#"{"note": "n", "lines": [{}]}"#),
            pair("lines[0].quantity", "is missing")
        );
        assert_eq!(
            fields(r#"{"note": "n", "lines": [{"quantity": 1}, {"quantity": 1, "price": 0}]}"#),
            pair("lines[1].price", "is not known here")
        );
        for quantity in ["1.5", "\"1\"", "9223372036854775808", "null", "1e3"] {
            let body = format!(r#"{{"note": "n", "lines": [{{"quantity": {quantity}}}]}}"#);
            assert_eq!(
                fields(&body),
                pair("lines[0].quantity", "must be an integer"),
                "{quantity}"
            );
        }
        for quantity in ["1e400".to_owned(), "1".repeat(400)] {
            let body = format!(r#"{{"note": "n", "lines": [{{"quantity": {quantity}}}]}}"#);
            assert_eq!(
                fields(&body),
                pair("lines[0].quantity", "is too large"),
                "{quantity}"
            );
        }
        for body in ["[]", r#" ["n", []]"#, "null", "1"] {
            assert_eq!(fields(body), pair("", "must be an object"), "{body}");
        }
        for line in ["[1]", "1", "null", "\"1\""] {
            let body = format!(r#"{{"note": "n", "lines": [{line}]}}"#);
            assert_eq!(fields(&body), pair("lines[0]", "must be an object"), "{line}");
        }
    }

    #[test]
    fn a_refusal_repeats_a_bounded_part_of_the_body() {
        let name = "é".repeat(30_000);
        let body = format!(r#"{{"note": "n", "lines": [], "{name}": 1}}"#);
        assert_eq!(
            fields(&body),
            pair(&"é".repeat(serde_error::MAX_NAME_LENGTH), "is not known here")
        );
        let lines = vec![r#"{"quantity": 0}"#; 1_000].join(",");
        assert_eq!(
            fields(&format!(r#"{{"note": "n", "lines": [{lines}]}}"#)).len(),
            MAX_FIELD_ERRORS
        );
    }

    #[test]
    fn every_broken_rule_is_reported() {
        let reported: Vec<_> = fields(r#"{"note": "", "lines": [{"quantity": 0}, {"quantity": 10}]}"#)
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(reported, ["lines[0].quantity", "lines[1].quantity", "note"]);
    }
}
