//! Who may call: the rule itself, as data, so that documentation and tests can read what the types enforce.

use crate::principal::{Principal, User};
use crate::refusal::AuthError;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy<'p> {
    /// Everyone; no credential is looked at.
    Anyone,
    /// Everyone; a user's token is looked at, and a bad one counts as none.
    Optional,
    /// Any user with a valid token.
    User,
    /// Users with at least one of these roles.
    AnyRole(&'p [&'p str]),
    /// Users whose token carries this scope.
    Scope(&'static str),
    /// Services with a token for this audience.
    Service,
    /// Clients who show a secret of their own (RFC 6749 §2.3.1), as where tokens are given out. This crate knows no secrets: the
    /// application's own type, which has this policy, looks at them, and at once, so that no other argument comes before.
    Client,
}

impl Policy<'_> {
    /// Decides on what the request presented: `Ok(None)` is a stranger who may come in.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub fn decide(self, presented: Result<Principal, AuthError>) -> Result<Option<Principal>, AuthError> {
        let forbidden = AuthError::Forbidden {
            scope: self.wanted_scope(),
        };
        match (self, presented) {
            (Self::Anyone, _) | (Self::Optional, Ok(Principal::Service(_))) => Ok(None),
            (Self::Optional, Err(refusal)) if refusal.is_unauthenticated() => Ok(None),
            // No token is a client's secret.
            (Self::Client, _) => Err(AuthError::NoToken),
            (_, Err(refusal)) => Err(refusal),
            (Self::Service, Ok(service @ Principal::Service(_))) => Ok(Some(service)),
            (Self::Service, Ok(Principal::User(_))) | (_, Ok(Principal::Service(_))) => Err(forbidden),
            (_, Ok(Principal::User(user))) if self.admits(&user) => Ok(Some(Principal::User(user))),
            (_, Ok(Principal::User(_))) => Err(forbidden),
        }
    }

    fn admits(self, user: &User) -> bool {
        match self {
            Self::Anyone | Self::Optional | Self::User => true,
            Self::AnyRole(roles) => roles.iter().any(|role| user.has_role(role)),
            Self::Scope(scope) => user.has_scope(scope),
            Self::Service | Self::Client => false,
        }
    }

    fn wanted_scope(self) -> Option<&'static str> {
        match self {
            Self::Scope(scope) => Some(scope),
            _ => None,
        }
    }
}
