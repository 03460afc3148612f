//! The treatment of users while a verifier can't know whether their tokens are revoked: its revocation feed is silent, or its
//! revocation set is full.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::AuthError;
use crate::freshness::Knowledge;
use crate::principal::User;
use crate::strategy::Introspection;

/// After the authorization server failed to answer, it is not asked for this time. Without this pause, each request would wait for
/// the timeout.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// The treatment of users while a verifier's [`RevocationFeed`](crate::RevocationFeed) is stale: it was silent for more than five
/// seconds, or the revocation set is full.
///
/// A stale verifier asks the authorization server about each token that has more than unprivileged access. If the server does not
/// answer, roles and scopes beyond that are withheld. A route that requires one of them responds with 503 `revocation_unknown`.
/// Before the first snapshot of the feed, the verifier asks about every user's token, and refuses the user if there is no answer.
#[derive(Debug)]
pub struct StalePolicy {
    unprivileged: Option<Unprivileged>,
    introspection: Option<Introspection>,
    /// Until when the authorization server is not asked.
    paused_until: Mutex<Option<Instant>>,
}

/// The access that users keep.
#[derive(Debug)]
struct Unprivileged {
    roles: Vec<String>,
    scopes: Vec<String>,
}

impl StalePolicy {
    /// Users keep these roles and scopes. All others are withheld until the authorization server confirms the token.
    #[must_use]
    pub fn withhold_all_but(
        roles: impl IntoIterator<Item = String>,
        scopes: impl IntoIterator<Item = String>,
    ) -> Self {
        Self::new(Some(Unprivileged {
            roles: roles.into_iter().collect(),
            scopes: scopes.into_iter().collect(),
        }))
    }

    /// All users are refused until the authorization server confirms their token.
    #[must_use]
    pub fn refuse_all() -> Self {
        Self::new(None)
    }

    fn new(unprivileged: Option<Unprivileged>) -> Self {
        Self {
            unprivileged,
            introspection: None,
            paused_until: Mutex::default(),
        }
    }

    /// Asks this authorization server about tokens. Without one, no token is confirmed.
    #[cfg(feature = "client")]
    #[must_use]
    pub fn confirm_with(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Decides about the user of a valid token. `knowledge` is what the revocation set knows about it.
    pub(crate) async fn decide(
        &self,
        token: &[u8],
        user: User,
        knowledge: Knowledge,
    ) -> Result<User, Refusal> {
        let restricted = match self.without_confirmation(&user, knowledge) {
            Decision::Admit => return Ok(user),
            Decision::Restrict(restricted) => Some(restricted),
            Decision::Refuse => None,
        };
        match self.is_active(token).await {
            Some(true) => Ok(user),
            Some(false) => Err(Refusal::Inactive),
            None => restricted.ok_or(Refusal::Unknown),
        }
    }

    /// The decision if the authorization server is not asked.
    pub(crate) fn decide_without_confirmation(
        &self,
        user: User,
        knowledge: Knowledge,
    ) -> Result<User, AuthError> {
        match self.without_confirmation(&user, knowledge) {
            Decision::Admit => Ok(user),
            Decision::Restrict(restricted) => Ok(restricted),
            Decision::Refuse => Err(AuthError::RevocationUnknown),
        }
    }

    fn without_confirmation(&self, user: &User, knowledge: Knowledge) -> Decision {
        let unprivileged = match knowledge {
            Knowledge::NotRevoked => return Decision::Admit,
            Knowledge::Stale => self.unprivileged.as_ref(),
            Knowledge::Revoked | Knowledge::Nothing => None,
        };
        let Some(kept) = unprivileged else {
            return Decision::Refuse;
        };
        user.restricted_to(&kept.roles, &kept.scopes)
            .map_or(Decision::Admit, Decision::Restrict)
    }

    /// Whether the authorization server calls the token active. `None` if it does not answer.
    async fn is_active(&self, token: &[u8]) -> Option<bool> {
        let introspection = self.introspection.as_ref()?;
        if self.paused_until().is_some_and(|until| Instant::now() < until) {
            return None;
        }
        match introspection.is_active(token).await {
            Ok(is_active) => Some(is_active),
            Err(error) => {
                *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Instant::now() + PAUSE_AFTER_FAILURE);
                tracing::warn!(%error, "the authorization server did not say whether a token is active");
                None
            }
        }
    }

    fn paused_until(&self) -> Option<Instant> {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for StalePolicy {
    /// Users keep the role `user`, and no scopes.
    fn default() -> Self {
        Self::withhold_all_but(["user".to_owned()], [])
    }
}

enum Decision {
    Admit,
    /// Admit the user with fewer roles and scopes.
    Restrict(User),
    Refuse,
}

/// Why a user is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The authorization server calls the token inactive.
    Inactive,
    /// It is not known whether the token is revoked.
    Unknown,
}
