//! The rule that says who may call a route. It is plain data, so that documentation and tests can read it.

use crate::error::AuthError;
use crate::principal::{Principal, User};

/// The rule that says who may call a route.
///
/// Matching is exhaustive on purpose: documentation and tests that are derived from a policy must handle each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Everyone. The credential is not checked.
    Anyone,
    /// Everyone. A user's token is verified; an invalid one counts as no token.
    ///
    /// A request whose credential can't be judged is still refused: more than one `Authorization` header (400), or a
    /// verifier without keys or revocations (503).
    Optional,
    /// Any user with a valid token.
    User,
    /// Users with at least one of these roles.
    AnyRole(&'static [&'static str]),
    /// Users whose token has this scope.
    Scope(&'static str),
    /// Any service with a token for this audience.
    AnyService,
    /// The service of this name, with a token for this audience.
    Service(&'static str),
    /// Callers that an extractor of the application authenticates, for example by client secret or API key. The text
    /// names the security scheme in documentation. [`decide`](Self::decide) refuses all tokens.
    Custom(&'static str),
}

impl Policy {
    /// Decides whether a caller with this credential may call. `Ok(None)` admits an anonymous caller.
    ///
    /// # Errors
    /// The error to respond with.
    pub fn decide(self, credential: Result<Principal, AuthError>) -> Result<Option<Principal>, AuthError> {
        match (self, credential) {
            (Self::Anyone, _) | (Self::Optional, Ok(Principal::Service(_))) => Ok(None),
            (Self::Optional, Err(error)) if error.is_unauthenticated() => Ok(None),
            // An access token is not a credential of the application's own scheme.
            (Self::Custom(_), _) => Err(AuthError::NoToken),
            (_, Err(error)) => Err(error),
            (_, Ok(principal)) if self.admits(&principal) => Ok(Some(principal)),
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
            let credential = verifier.verify_with_held_keys(&token);
            assert!(credential.is_ok());
            assert_eq!(
                Policy::Custom("client").decide(credential),
                Err(AuthError::NoToken)
            );
        }
    }
}
