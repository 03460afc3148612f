//! ID tokens (OpenID Connect Core §3.1.3.7), which `auth` verifies like any other token of another issuer.

use auth::{AuthError, Clock, Keys, Principal, Profile, Verifier};
use serde::{Deserialize, Deserializer};

use super::error::ProviderError;

/// The longest subject, in bytes (OpenID Connect Core §2).
const MAX_SUBJECT_BYTES: usize = 255;

/// The claims about a person in an ID token, or from the userinfo endpoint.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct PersonClaims {
    pub email: Option<String>,
    /// Some providers send a text.
    #[serde(default, deserialize_with = "bool_or_text")]
    pub email_verified: bool,
    /// The domain of the organisation, with Google.
    pub hd: Option<String>,
    pub name: Option<String>,
    pub preferred_username: Option<String>,
}

/// The claims of an ID token that `auth` does not check.
#[derive(Debug, Deserialize)]
struct IdClaims {
    nonce: Option<String>,
    aud: serde_json::Value,
    azp: Option<String>,
    #[serde(flatten)]
    person: PersonClaims,
}

/// A verified ID token.
pub(super) struct IdToken {
    pub subject: String,
    pub person: PersonClaims,
}

/// The verifier of ID tokens for this client. It accepts RS256, ES256 and `EdDSA`.
pub(super) fn verifier(issuer: &str, client_id: &str, keys: Keys, clock: Clock) -> Verifier {
    let profile = Profile::new(client_id)
        .token_types(["JWT"])
        .allow_missing_type()
        .without_roles()
        .scopes_from::<&str>([])
        // Only the token endpoint's answer is verified here, so no service can be the subject.
        .service_marks([])
        .claims::<IdClaims>();
    // Each token is seen once.
    let verifier = Verifier::builder(issuer, keys, profile)
        .clock(clock)
        .cache_bytes(0);
    verifier.build()
}

/// Verifies an ID token for this client, with the nonce of this login.
pub(super) async fn verify(
    verifier: &Verifier,
    token: &str,
    client_id: &str,
    nonce: &str,
) -> Result<IdToken, ProviderError> {
    let broken = |why: &str| ProviderError::Broken(format!("the ID token is not valid: {why}"));
    let user = match verifier.verify(token).await {
        Ok(Principal::User(user)) => user,
        Ok(_) => return Err(broken("not of a user")),
        Err(AuthError::InvalidToken(fault)) => return Err(broken(&fault.to_string())),
        Err(error @ AuthError::KeysUnavailable) => return Err(ProviderError::Unavailable(error.to_string())),
        Err(error) => return Err(broken(&error.to_string())),
    };
    if user.subject().len() > MAX_SUBJECT_BYTES || user.subject().contains(char::is_control) {
        return Err(broken("the subject is too long, or no text"));
    }
    let claims: &IdClaims = user.claims().ok_or_else(|| broken("no claims"))?;
    if claims.nonce.as_deref() != Some(nonce) {
        return Err(broken("wrong nonce"));
    }
    let has_several_audiences = claims.aud.as_array().is_some_and(|audiences| audiences.len() > 1);
    match &claims.azp {
        Some(party) if party != client_id => return Err(broken("wrong azp")),
        None if has_several_audiences => return Err(broken("several audiences without azp")),
        _ => {}
    }
    Ok(IdToken {
        subject: user.subject().to_owned(),
        person: claims.person.clone(),
    })
}

/// `true` or `"true"`. Everything else counts as not verified.
fn bool_or_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value == true || value == "true")
}
