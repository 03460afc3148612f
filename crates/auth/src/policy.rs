//! The rule that says who may call a route. A policy is plain data, so that documentation and tests can read it.

use crate::error::AuthError;
use crate::principal::{Principal, User};

/// The rule that says who may call a route.
///
/// Deliberately not `#[non_exhaustive]`: documentation and tests that match on a policy must handle every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Everyone. The credential is not checked. [`Routes`](crate::Routes) and the middleware still apply the cross-site rule: see
    /// [`VerifierBuilder::access_cookie`](crate::VerifierBuilder::access_cookie).
    Anyone,
    /// Everyone. A user's valid token identifies the caller. Any other token counts as no token.
    ///
    /// A few requests are still refused: a request with more than one `Authorization` header or a cookie with another token (400), one
    /// that the cross-site rule does not admit (403), and a request with a token while the verifier has no keys or an incomplete
    /// revocation set (503).
    Optional,
    /// Any user with a valid token.
    User,
    /// Users with at least one of these roles.
    AnyRole(&'static [&'static str]),
    /// Users whose token has this scope.
    Scope(&'static str),
    /// Any service, if the audience of its token is the service that receives the request.
    AnyService,
    /// The service of this name, if the audience of its token is the service that receives the request.
    Service(&'static str),
    /// Callers that the application authenticates by its own extractor, for example by client secret or API key. The text names
    /// the security scheme in documentation. [`decide`](Self::decide) refuses all tokens. The extractor runs beside the handler's
    /// other extractors, not before them.
    Custom(&'static str),
}

impl Policy {
    /// Decides whether the caller is admitted, given the outcome of authentication. `Ok(None)` admits the caller as anonymous.
    ///
    /// # Errors
    /// The error to respond with.
    pub fn decide(self, outcome: Result<Principal, AuthError>) -> Result<Option<Principal>, AuthError> {
        match (self, outcome) {
            (Self::Anyone, _) | (Self::Optional, Ok(Principal::Service(_))) => Ok(None),
            (Self::Optional, Err(error)) if error.is_unauthenticated() => Ok(None),
            // The application's extractor does not use access tokens, so a valid token admits no caller here.
            (Self::Custom(_), _) => Err(AuthError::NoToken),
            (_, Err(error)) => Err(error),
            (_, Ok(principal)) if self.admits(&principal) => Ok(Some(principal)),
            // A role or a scope that the route requires is withheld.
            (_, Ok(Principal::User(user))) if self.admits_user(&user.unrestricted()) => {
                Err(AuthError::RevocationUnknown)
            }
            (_, Ok(_)) => Err(AuthError::Forbidden {
                scope: self.required_scope(),
            }),
        }
    }

    fn admits(self, principal: &Principal) -> bool {
        match principal {
            Principal::User(user) => self.admits_user(user),
            Principal::Service(service) => match self {
                Self::AnyService => true,
                Self::Service(name) => service.is(name),
                _ => false,
            },
        }
    }

    fn admits_user(self, user: &User) -> bool {
        match self {
            // `decide` has already admitted everyone for `Anyone`.
            Self::Anyone | Self::Optional | Self::User => true,
            Self::AnyRole(roles) => roles.iter().any(|role| user.has_role(role)),
            Self::Scope(scope) => user.has_scope(scope),
            Self::AnyService | Self::Service(_) | Self::Custom(_) => false,
        }
    }

    fn required_scope(self) -> Option<&'static str> {
        match self {
            Self::Scope(scope) => Some(scope),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Issuer;

    #[test]
    fn a_token_does_not_satisfy_a_custom_policy() {
        let issuer = Issuer::new("a");
        let verifier = issuer.verifier();

        for token in [issuer.as_admin().token(), issuer.as_service("b").token()] {
            let outcome = verifier.verify_with_current_keys(&token);
            assert!(outcome.is_ok());
            assert_eq!(Policy::Custom("client").decide(outcome), Err(AuthError::NoToken));
        }
    }
}
