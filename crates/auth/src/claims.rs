//! The claims of this platform's tokens.

use serde::de::Deserializer;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::numeric_date;

/// The claims of an access token or a service token (RFC 9068 §2.2). `sid` is the registered session id
/// (OpenID Connect Front-Channel Logout 1.0 §3), and `epoch` a private claim of this platform.
///
/// user-service fills in the claims and signs them. A verifier with the profile [`countersign`](crate::Profile::countersign) reads
/// them and returns a [`Principal`](crate::Principal).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer: the platform's URL.
    pub iss: String,
    /// The subject: a user's id, or a service's name.
    pub sub: String,
    /// The audiences. A single string is read as a list of one (RFC 7519 §4.1.3).
    #[serde(deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When the token expires, in Unix seconds. A fraction is rounded down.
    #[serde(deserialize_with = "numeric_date::rounded_down")]
    pub exp: i64,
    /// When the token becomes valid, in Unix seconds. A fraction is rounded up.
    #[serde(
        default,
        deserialize_with = "numeric_date::rounded_up",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<i64>,
    /// When the token was issued, in Unix seconds. A fraction is rounded down.
    #[serde(deserialize_with = "numeric_date::rounded_down")]
    pub iat: i64,
    /// The token's id. Never empty.
    pub jti: String,
    /// The client that the token was issued to. In a service token `client_id` equals `sub`.
    pub client_id: String,
    /// A user's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// A user's epoch: see [`User::epoch`](crate::User::epoch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// A user's email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A user's roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The permissions of a user's token: words separated by one space. A token omits an empty scope, since RFC 6749 §3.3 requires
    /// at least one word. Service tokens have no scope.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
}

impl Claims {
    /// Whether these are the claims of a service. A user's `sub` is an id and never equals a `client_id`.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.sub == self.client_id
    }

    /// Whether `aud` includes this audience.
    #[must_use]
    pub fn is_for(&self, audience: &str) -> bool {
        self.aud.iter().any(|aud| aud == audience)
    }
}

fn one_or_many<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(value)? {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Issuer;

    #[test]
    fn an_empty_scope_is_omitted_and_an_absent_one_is_read_as_empty() {
        let issuer = Issuer::new("a");
        let without = serde_json::to_value(issuer.as_user().claims()).unwrap();
        let with = serde_json::to_value(issuer.as_user().scope("a b").claims()).unwrap();

        assert_eq!(without.get("scope"), None);
        assert_eq!(with["scope"], "a b");
        let claims: Claims = serde_json::from_value(without).unwrap();
        assert_eq!(claims.scope, "");
    }
}
