//! Ids in paths, queries and bodies.

use std::fmt;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use serde::de::Unexpected;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// An id that a client sent. It has one spelling: a UUID in lowercase with hyphens (docs/decisions/0005).
///
/// As a handler argument it is the `{id}` of the route's path. A malformed one becomes the nil UUID, which no row has. So
/// the handler answers a malformed id as it answers an unknown one.
///
/// As a field of a [`Query`](crate::Query) or a [`Body`](crate::Body), a malformed id is refused with 400 or 422.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
pub struct Id(pub Uuid);

/// The text is not a UUID in lowercase with hyphens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id must be {}", Id::FORM)]
pub struct InvalidId;

impl Id {
    const FORM: &str = "a UUID in lowercase with hyphens";
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let id: Uuid = text.parse().map_err(|_| InvalidId)?;
        let is_canonical = id.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text;
        if is_canonical {
            Ok(Self(id))
        } else {
            Err(InvalidId)
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Id> for Uuid {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl FromRequest for Id {
    type Error = std::convert::Infallible;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|id| id.parse().ok());
        ready(Ok(id.unwrap_or(Self(Uuid::nil()))))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Id::FORM)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                text.parse()
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

/// Reads a field of type [`Uuid`] as an [`Id`]: `#[serde(deserialize_with = "service_kit::canonical_uuid")]`.
///
/// # Errors
/// If the value is not a UUID in lowercase with hyphens.
pub fn canonical_uuid<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Uuid, D::Error> {
    Id::deserialize(deserializer).map(Uuid::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    const OTHER_SPELLINGS: [&str; 8] = [
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "01890a5dac96774bbcceb302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a805",
        " 01890a5d-ac96-774b-bcce-b302099a8057",
        "1",
        "",
    ];

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!(TEXT.parse::<Id>().unwrap().to_string(), TEXT);
        for other in OTHER_SPELLINGS {
            assert_eq!(other.parse::<Id>(), Err(InvalidId), "{other}");
        }
    }

    #[test]
    fn a_field_has_the_same_spelling() {
        #[derive(Debug, Deserialize)]
        struct Line {
            id: Id,
            #[serde(deserialize_with = "canonical_uuid")]
            product: Uuid,
        }

        let read = |id: &str, product: &str| {
            let json = serde_json::json!({"id": id, "product": product});
            serde_json::from_value::<Line>(json).map(|line| (line.id.0, line.product))
        };
        let uuid: Uuid = TEXT.parse().unwrap();
        assert_eq!(read(TEXT, TEXT).unwrap(), (uuid, uuid));
        for other in OTHER_SPELLINGS {
            for (id, product) in [(other, TEXT), (TEXT, other)] {
                let error = read(id, product).unwrap_err().to_string();
                assert!(
                    error.ends_with("expected a UUID in lowercase with hyphens"),
                    "{error}"
                );
            }
        }
    }
}
