//! A JSON body: bounded, well-formed, with known members only, and valid.

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
use utoipa::ToSchema;

use super::object::Object;
use super::strict;
use crate::problem::RequestError;

/// The longest body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

const JSON: &str = "application/json";

/// What `serde_json` says of a number that no number of Rust's can hold. It is JSON (RFC 8259 §6 bounds none), with a wrong value.
const TOO_LARGE: &str = "number out of range";

/// Of what is wrong with a body, so much is told.
const MAX_FIELDS: usize = 20;
/// Of the names that a body makes up, so many characters are repeated.
const MAX_NAME: usize = 100;

/// How long a body may stand still.
const IDLE: Duration = Duration::from_secs(15);

/// A JSON body of type `T`, which has `#[serde(deny_unknown_fields)]` and [`garde`]'s rules. A body that may be left out is an
/// [`OptionalBody`]; an `Option<Body<T>>` would swallow every error.
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

/// As [`Body`], but there may be none.
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
        // RFC 9112 §6: what comes in chunks may yet be empty; any other body has a length.
        let in_chunks = headers.contains_key(TRANSFER_ENCODING);
        let length = headers
            .get(CONTENT_LENGTH)
            .is_some_and(|length| length.as_bytes() != b"0");
        let says_what = headers.contains_key(CONTENT_TYPE);
        let payload = payload.take();
        Box::pin(async move {
            if !in_chunks && !length {
                return Ok(Self(None));
            }
            if says_what {
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

/// What may stand in the [`OptionalBody`] of a request that says everything in its URL.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmptyObject {}

/// Whether what the headers say of the body allows to read it.
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

pub(super) async fn read(mut payload: Payload) -> Result<Bytes, RequestError> {
    let mut body = BytesMut::new();
    loop {
        let chunk = tokio::time::timeout(IDLE, payload.next())
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
    let well_formed = strict::check(body).map_err(|error| without_position(&error));
    if let Err(message) = &well_formed
        && message != TOO_LARGE
    {
        return Err(RequestError::MalformedJson(message.clone()));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let Object(value): Object<T> =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| wrong_value(&error))?;
    well_formed.map_err(RequestError::MalformedJson)?;
    value.validate().map_err(|report| {
        let fields = report.iter().map(|(path, error)| FieldError {
            field: path.to_string(),
            message: error.message().to_owned(),
        });
        RequestError::Invalid(fields.take(MAX_FIELDS).collect())
    })?;
    Ok(value)
}

fn wrong_value(error: &serde_path_to_error::Error<serde_json::Error>) -> RequestError {
    let message = without_position(error.inner());
    let path = Some(error.path().to_string())
        .filter(|path| path != ".")
        .unwrap_or_default();
    // serde says which member is missing or unknown in its message alone.
    for (start, says) in [
        ("missing field `", "is missing"),
        ("unknown field `", "is not known here"),
    ] {
        if let Some((name, _)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) {
            let parent = path.strip_suffix(name).unwrap_or(&path).trim_end_matches('.');
            let name: String = name.chars().take(MAX_NAME).collect();
            let field = if parent.is_empty() {
                name
            } else {
                format!("{parent}.{name}")
            };
            return RequestError::field(&field, says);
        }
    }
    if message == TOO_LARGE {
        return RequestError::field(&path, "is too large");
    }
    let expected = message
        .rsplit_once("expected ")
        .map_or("something else", |(_, expected)| expected);
    let expected = match expected {
        "i64" | "u64" | "i32" | "u32" => "an integer",
        other => other,
    };
    RequestError::field(&path, format!("must be {expected}"))
}

/// The message without serde's «at line 1 column 5».
fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(message, _)| message)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, Validate, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[garde(length(chars, min = 1))]
        note: String,
        #[garde(dive)]
        #[serde(deserialize_with = "super::super::objects")]
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

    #[test]
    fn what_is_right_is_taken() {
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
    fn what_is_not_json_is_malformed() {
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
    fn a_member_given_twice_is_malformed_at_any_depth() {
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
    fn wrong_values_name_their_field() {
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
    fn what_a_refusal_repeats_is_bounded() {
        let name = "é".repeat(30_000);
        let body = format!(r#"{{"note": "n", "lines": [], "{name}": 1}}"#);
        assert_eq!(fields(&body), pair(&"é".repeat(MAX_NAME), "is not known here"));
        let lines = vec![r#"{"quantity": 0}"#; 1_000].join(",");
        assert_eq!(
            fields(&format!(r#"{{"note": "n", "lines": [{lines}]}}"#)).len(),
            MAX_FIELDS
        );
    }

    #[test]
    fn every_broken_rule_is_told() {
        let told: Vec<_> = fields(r#"{"note": "", "lines": [{"quantity": 0}, {"quantity": 10}]}"#)
            .into_iter()
            .map(|(field, _)| field)
            .collect();
        assert_eq!(told, ["lines[0].quantity", "lines[1].quantity", "note"]);
    }
}
