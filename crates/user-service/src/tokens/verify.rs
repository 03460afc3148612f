//! Verifying tokens that this service issued.

use std::sync::Arc;

use auth::{Claims, Verifier};
use service_kit::Registry;

/// Verifies tokens that this service issued, including tokens for other services. In contrast, the verifier of requests accepts
/// a service token only if it is for this service.
#[derive(Clone, Debug)]
pub(crate) struct IssuedTokenVerifier {
    pub verifier: Verifier,
    /// The services for which service tokens are issued.
    pub registry: Arc<Registry>,
    /// The audience of users' tokens.
    pub audience: String,
}

impl IssuedTokenVerifier {
    /// The claims of a token, if this service signed the token and the token has not expired. A user's token must be for the
    /// platform, a service's token for a registered service. Revocation is not checked.
    pub(crate) fn verify_claims(&self, token: &str) -> Option<Claims> {
        let claims = self.verifier.verify_claims(token).ok()?;
        let has_known_audience = if claims.is_service() {
            let is_registered = |audience: &String| self.registry.find(audience).is_some();
            claims.aud.iter().any(is_registered)
        } else {
            claims.is_for(&self.audience)
        };
        has_known_audience.then_some(claims)
    }
}
