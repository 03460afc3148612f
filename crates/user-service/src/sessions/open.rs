//! Opening a session.

use service_kit::id;

use super::revocation::RevokingTx;
use super::{Sessions, TokenPair};
use crate::context::RequestContext;
use crate::domain::{Account, LoginMethod, MAX_LEEWAY, RefreshToken};
use crate::error::UserError;
use crate::store::{NewSession, SessionRows, UserRows};

/// How many sessions a user may have at a time. The limit also bounds the cost of ending all sessions of a user.
const MAX_SESSIONS: i64 = 100;

impl Sessions {
    /// Opens a session for a user who just authenticated by this method. Fails with `InvalidCredentials` if the user was disabled or
    /// changed the password after the check. If the user has too many sessions, the least recently used sessions are ended.
    pub(super) async fn open(
        &self,
        tx: &mut RevokingTx<'_>,
        checked: &Account,
        method: LoginMethod<'_>,
        context: &RequestContext,
    ) -> Result<TokenPair, UserError> {
        let now = context.time();
        let user = UserRows(tx)
            .lock_if_unchanged(checked.id, checked.password_version)
            .await?
            .ok_or(UserError::InvalidCredentials)?;

        SessionRows(tx)
            .delete_expired(user.id, now, now - MAX_LEEWAY)
            .await?;
        tx.end_least_recently_used(user.id, MAX_SESSIONS - 1, now).await?;

        let token = RefreshToken::generate()?;
        let expires_at = now + self.lifetimes.session;
        let token_expires_at = expires_at.min(now + self.lifetimes.refresh);
        let session = NewSession {
            id: id::new(now),
            user_id: user.id,
            token: &token,
            now,
            token_expires_at,
            expires_at,
            access_expires_at: self.lifetimes.latest_access_expiry(now),
            ip: &context.ip().unwrap_or_default(),
            user_agent: context.user_agent.as_deref().unwrap_or_default(),
            method: method.name(),
        };
        SessionRows(tx).open(&session).await?;
        self.token_pair(user, session.id, &token, token_expires_at, now)
    }
}
