//! From the token's text to what it claims: the form of a JWT access token (RFC 7519, RFC 9068), with none of the choices
//! that RFC 8725 warns of left to the token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::principal::{Principal, Service, ServiceFacts, User, UserFacts};
use crate::refusal::TokenFault;

/// A token's three parts, found but not yet believed.
pub(crate) struct Parts<'t> {
    pub header: Header,
    pub payload: &'t str,
    pub signature: &'t str,
    /// What the signature is over: header and payload as they were sent (RFC 7515 §5.2).
    pub signed: &'t [u8],
}

/// The header parameters that decide anything. Where the key could be had from (`jku`, `jwk`, `x5u` …) is not among them.
#[derive(Deserialize)]
pub(crate) struct Header {
    alg: String,
    pub kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

impl<'t> Parts<'t> {
    pub fn split(token: &'t str) -> Result<Self, TokenFault> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        // A fourth part is no base64url, so it is refused where it is decoded.
        Ok(Self {
            header: object(header)?,
            payload,
            signature,
            signed: signed.as_bytes(),
        })
    }

    pub fn claims(&self) -> Result<Claims, TokenFault> {
        object(self.payload)
    }
}

impl Header {
    pub fn check(&self) -> Result<(), TokenFault> {
        if self.crit {
            return Err(TokenFault::Critical);
        }
        // RFC 7515 §4.1.9: compared as a media type, and `application/` may be left out.
        let is_access_token = self.typ.as_deref().is_some_and(|typ| {
            typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
        });
        if is_access_token {
            Ok(())
        } else {
            Err(TokenFault::Type)
        }
    }

    pub fn names(&self, algorithm: Algorithm) -> bool {
        // `Algorithm`'s own parser takes the names of RFC 7518 §3.1 exactly as they are written there.
        self.alg.parse() == Ok(algorithm)
    }
}

/// Strict: no padding, no white space, no stray bits, so that a token has one spelling; and a JSON object, all of it UTF-8
/// (RFC 7515 §5.2), where serde alone would take a list for a struct and not look into strings that nobody reads.
fn object<T: DeserializeOwned>(part: &str) -> Result<T, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| TokenFault::Malformed)?;
    if !text.trim_start().starts_with('{') {
        return Err(TokenFault::Malformed);
    }
    serde_json::from_str(text).map_err(|_| TokenFault::Malformed)
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

/// The claims of an access token or a service token, as they stand in its payload (RFC 9068 §2.2; `sid` and `epoch` are
/// this platform's own). Whoever signs tokens fills it in; whoever verifies them gets a [`Principal`] instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed: the platform's own URL.
    pub iss: String,
    /// Whom the token speaks for: a person's id, or a service's name.
    pub sub: String,
    /// For whom it is meant. One string stands for a list of one (RFC 7519 §4.1.3).
    #[serde(deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// When it ends, in Unix seconds.
    pub exp: i64,
    /// From when it holds, in Unix seconds.
    #[serde(
        default,
        deserialize_with = "a_number",
        skip_serializing_if = "Option::is_none"
    )]
    pub nbf: Option<i64>,
    /// When it was made, in Unix seconds.
    pub iat: i64,
    /// The token's own id.
    pub jti: String,
    /// The client it was given to: for a service its own name, as in `sub`.
    pub client_id: String,
    /// A person's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// How often the person's rights had been changed or taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// A person's email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A person's roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// What the token is good for: words separated by one space (RFC 6749 §3.3).
    #[serde(default)]
    pub scope: String,
}

/// What a verifier insists on.
pub(crate) struct Expected<'e> {
    pub issuer: &'e str,
    /// The audience of people's tokens.
    pub people: &'e str,
    /// The audience of services' tokens: the verifying service's own name.
    pub service: &'e str,
    pub now: i64,
    pub leeway: i64,
}

impl Claims {
    /// Whether they speak for a service, by a rule that no person's token can meet: a person's subject is an id, never a client.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.sub == self.client_id
    }

    /// Turns claims whose signature has been checked into a principal. Expiry is not looked at here: it is asked anew on
    /// every request.
    pub(crate) fn into_principal(self, expected: &Expected<'_>) -> Result<Principal, TokenFault> {
        if self.iss != expected.issuer {
            return Err(TokenFault::Issuer);
        }
        if self
            .nbf
            .is_some_and(|nbf| nbf > expected.now.saturating_add(expected.leeway))
        {
            return Err(TokenFault::NotYet);
        }
        let is_service = self.is_service();
        let audience = if is_service {
            expected.service
        } else {
            expected.people
        };
        if !self.aud.iter().any(|aud| aud == audience) {
            return Err(TokenFault::Audience);
        }
        if is_service {
            self.into_service()
        } else {
            self.into_user()
        }
    }

    fn into_user(self) -> Result<Principal, TokenFault> {
        let (Some(session), Some(epoch), Ok(id)) = (self.sid, self.epoch, Uuid::parse_str(&self.sub)) else {
            return Err(TokenFault::Claims);
        };
        // One person has one id, and one id one spelling.
        if id.to_string() != self.sub {
            return Err(TokenFault::Claims);
        }
        Ok(Principal::User(User(std::sync::Arc::new(UserFacts {
            id,
            session,
            epoch,
            email: self.email.unwrap_or_default(),
            name: self.name.unwrap_or_default(),
            roles: self.roles.unwrap_or_default(),
            scope: self.scope,
            token_id: self.jti,
            expires_at: self.exp,
        }))))
    }

    fn into_service(self) -> Result<Principal, TokenFault> {
        if self.sub.is_empty() || self.roles.is_some() || self.sid.is_some() {
            return Err(TokenFault::Claims);
        }
        Ok(Principal::Service(Service(std::sync::Arc::new(ServiceFacts {
            name: self.sub,
            scope: self.scope,
            token_id: self.jti,
            expires_at: self.exp,
        }))))
    }
}

/// Left out or a number, never `null` (RFC 7519 §4.1.5): an issuer that wrote `null` meant a bound that it could not tell.
fn a_number<'de, D: Deserializer<'de>>(value: D) -> Result<Option<i64>, D::Error> {
    i64::deserialize(value).map(Some)
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
