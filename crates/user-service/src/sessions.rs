//! Sessions: a login opens a session, refreshes continue it, a logout ends it. Opening and refreshing issue a token pair; ending
//! revokes tokens.
//!
//! - `login` completes a login: `open` opens its session.
//! - `refresh` rotates a refresh token and finds the session of a token; `rotation` runs the rotations in batches.
//! - `revocation` ends sessions and revokes tokens, always in a transaction that also stores the revocations.
//!
//! This module trusts its callers: it checks neither passwords nor roles.

mod login;
mod open;
pub(crate) mod refresh;
pub(crate) mod revocation;
pub(crate) mod rotation;
mod token_pair;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use self::rotation::RotationQueue;
pub(crate) use self::token_pair::{CookieSession, SessionResponse, TokenPair};
use crate::domain::{Account, Lifetimes, RefreshToken, SuccessorKey};
use crate::error::UserError;
use crate::feed::Feed;
use crate::mail::Outbox;
use crate::tokens::TokenIssuer;

/// Opens, refreshes and ends sessions. Clones share the queue of rotations and the revocation feed.
#[derive(Clone, Debug)]
pub(crate) struct Sessions {
    pub token_issuer: TokenIssuer,
    pub lifetimes: Lifetimes,
    pub successor_key: SuccessorKey,
    pub rotations: RotationQueue,
    pub feed: Feed,
    /// The mails that logins cause.
    pub outbox: Outbox,
}

impl Sessions {
    /// The token pair of a session whose newest refresh token is `token`.
    fn token_pair(
        &self,
        user: Account,
        session: Uuid,
        token: &RefreshToken,
        token_expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<TokenPair, UserError> {
        Ok(TokenPair {
            access_token: self.token_issuer.access_token(&user, session, now)?,
            token_type: "Bearer",
            expires_in: self.token_issuer.lifetime.num_seconds(),
            refresh_token: token.encode(),
            refresh_expires_in: (token_expires_at - now).num_seconds(),
            scope: self.token_issuer.scope_of(&user),
            user: user.into(),
        })
    }
}
