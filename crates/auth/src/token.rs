//! Reads a JWT access token (RFC 7519, RFC 9068): splits its text into header, claims and signature. A token names
//! a key of the trusted key set, but can't supply a key and can't choose the algorithm (RFC 8725 §3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};

use crate::claims::Claims;
use crate::error::TokenFault;
use crate::identity::IDENTITY_TOKEN_TYPE;
use crate::json_object;

/// The types of tokens. The header says which type a token has, so that a token of one type never passes as another (RFC 8725
/// §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenType {
    /// An access token or a service token (RFC 9068 §2.1).
    Access,
    /// An identity token of the gateway.
    Identity,
}

const APPLICATION: &str = "application/";

/// The three parts of a token whose signature is not verified yet.
pub(crate) struct Parts<'t> {
    pub header: Header,
    pub payload: &'t str,
    pub signature: &'t str,
    /// The bytes that the issuer signed: header and payload as received, with the dot (RFC 7515 §5.2).
    pub signing_input: &'t [u8],
}

/// The header parameters that a verifier uses. Parameters that contain or refer to a key (`jku`, `jwk`, `x5u` …) are ignored
/// deliberately. Otherwise a client could sign with its own key and make the verifier use it.
#[derive(Deserialize)]
pub(crate) struct Header {
    alg: String,
    pub kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

impl<'t> Parts<'t> {
    pub fn parse(token: &'t str) -> Result<Self, TokenFault> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(TokenFault::Malformed)?;
        // A token with more than three parts is refused when its payload is decoded, because a dot is not base64url.
        Ok(Self {
            header: decode_object(header)?,
            payload,
            signature,
            signing_input: signing_input.as_bytes(),
        })
    }

    pub fn claims(&self) -> Result<Claims, TokenFault> {
        decode_object(self.payload)
    }
}

impl Header {
    /// Checks `crit` and `typ`.
    pub fn check(&self, expected: TokenType) -> Result<(), TokenFault> {
        if self.crit {
            return Err(TokenFault::Critical);
        }
        let expected = match expected {
            TokenType::Access => "at+jwt",
            TokenType::Identity => IDENTITY_TOKEN_TYPE,
        };
        // RFC 7515 §4.1.9: a media type, compared without case; `application/` may be omitted.
        let typ = self.typ.as_deref().unwrap_or_default();
        let subtype = match typ.split_at_checked(APPLICATION.len()) {
            Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(APPLICATION) => subtype,
            _ => typ,
        };
        if subtype.eq_ignore_ascii_case(expected) {
            Ok(())
        } else {
            Err(TokenFault::Type)
        }
    }

    pub fn has_algorithm(&self, algorithm: Algorithm) -> bool {
        // `Algorithm` parses only the exact names of RFC 7518 §3.1.
        self.alg.parse() == Ok(algorithm)
    }
}

/// Decodes a JSON object from canonical base64url, which has no padding and no white space, and whose unused bits are zero. So each
/// token can be written in one way only. The object must be UTF-8 (RFC 7515 §5.2).
fn decode_object<T: DeserializeOwned>(part: &str) -> Result<T, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    json_object::parse(&bytes).ok_or(TokenFault::Malformed)
}

fn is_present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}
