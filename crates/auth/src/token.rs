//! Reads a JWT access token (RFC 7519, RFC 9068): splits its text into header, claims and signature. A token names
//! a key of the trusted key set, but can't supply a key and can't choose the algorithm (RFC 8725 §3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

use crate::error::TokenFault;
use crate::json_object;

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
    pub typ: Option<String>,
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

impl<'t> Parts<'t> {
    pub fn parse(token: &'t str) -> Result<Self, TokenFault> {
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = signing_input.split_once('.').ok_or(TokenFault::Malformed)?;
        // A token with more than three parts is refused when its payload is decoded, because a dot is not base64url.
        Ok(Self {
            header: json_object::parse(&decode(header)?).ok_or(TokenFault::Malformed)?,
            payload,
            signature,
            signing_input: signing_input.as_bytes(),
        })
    }

    /// The payload as text.
    pub fn payload(&self) -> Result<String, TokenFault> {
        String::from_utf8(decode(self.payload)?).map_err(|_| TokenFault::Malformed)
    }
}

impl Header {
    /// Refuses `crit`, because no extension is supported (RFC 7515 §4.1.11).
    pub fn check_critical(&self) -> Result<(), TokenFault> {
        if self.crit {
            Err(TokenFault::Critical)
        } else {
            Ok(())
        }
    }

    pub fn has_algorithm(&self, algorithm: Algorithm) -> bool {
        // `Algorithm` parses only the exact names of RFC 7518 §3.1.
        self.alg.parse() == Ok(algorithm)
    }
}

/// Decodes canonical base64url, which has no padding and no white space, and whose unused bits are zero. So each token can be written
/// in one way only.
fn decode(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)
}

fn is_present<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}
