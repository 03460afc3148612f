//! Continuing a session with a refresh token, and finding the session or the user of a token.

use auth::Claims;
use chrono::{DateTime, Utc};
use db::{Conn, Db};
use uuid::Uuid;

use super::rotation::RotationOutcome;
use super::{Sessions, TokenPair};
use crate::context::RequestContext;
use crate::domain::{Account, RefreshToken, Session, SessionWithUser};
use crate::error::UserError;
use crate::random;
use crate::store::{Rotation, SessionRows};

/// The outcome of a refresh.
pub(crate) enum Refreshed {
    /// The next token pair.
    Pair(TokenPair),
    /// The token was replaced earlier, or is forged. Two parties may have tokens of this session, so the session has to end.
    Replayed(Session),
}

impl Sessions {
    /// Exchanges a refresh token for the next token pair. Of concurrent requests with the same token, one request rotates the
    /// token. The other requests get the same successor if they arrived within the grace period.
    pub(crate) async fn refresh(
        &self,
        token: &RefreshToken,
        context: &RequestContext,
    ) -> Result<Refreshed, UserError> {
        // The end of the grace period is compared with this time, so that waiting in the queue does not count.
        let received_at = context.time();
        let RotationOutcome {
            session,
            attempted_at,
        } = self.rotations.rotate(self.rotation(token, context)?).await?;
        let Some(SessionWithUser { session, user }) =
            session.filter(|found| found.session.is_live(attempted_at))
        else {
            return Err(UserError::InvalidRefreshToken);
        };

        // After a rotation by this request or by a concurrent request, the presented token is the previous token, replaced just
        // now.
        match &session.rotation_nonce {
            Some(nonce) if session.is_previous_within(token, received_at, self.lifetimes.grace) => {
                if user.disabled {
                    return Err(UserError::InvalidRefreshToken);
                }
                let successor = self.successor_key.derive(token, nonce);
                self.token_pair(
                    user,
                    session.id,
                    &successor,
                    session.token_expires_at,
                    received_at,
                )
                .map(Refreshed::Pair)
            }
            _ => Ok(Refreshed::Replayed(session)),
        }
    }

    fn rotation(&self, token: &RefreshToken, context: &RequestContext) -> Result<Rotation, UserError> {
        let nonce = random::bytes()?;
        Ok(Rotation {
            family_hash: token.family_hash(),
            token_hash: token.hash(),
            successor_hash: self.successor_key.derive(token, &nonce).hash(),
            nonce,
            ip: context.ip().unwrap_or_default(),
            user_agent: context.user_agent.clone().unwrap_or_default(),
        })
    }

    /// The session that a refresh with this token would continue at `now`.
    pub(crate) async fn find_refreshable(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, sqlx::Error> {
        let session = SessionRows(conn).find_by_family(token).await?.filter(|session| {
            session.is_live(now)
                && (session.is_newest(token) || session.is_previous_within(token, now, self.lifetimes.grace))
        });
        let Some(session) = session else { return Ok(None) };

        let user = SessionRows(conn).active_user(session.id).await?;
        Ok(user.map(|_| session))
    }

    /// The session that a client may end with this token, which must be the session's newest or previous token. The previous one is
    /// accepted even after the grace period, because the client may have missed the last response.
    pub(crate) async fn find_endable(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, sqlx::Error> {
        let session = SessionRows(conn).find_by_family(token).await?.filter(|session| {
            session.is_newest(token) || session.is_previous_within(token, now, self.lifetimes.session)
        });
        Ok(session.map(|session| session.id))
    }

    /// The user of a verified access token, unless the database says that the token is revoked. Returns `None` also for a service
    /// token.
    pub(crate) async fn active_user(&self, db: &Db, claims: &Claims) -> Result<Option<Account>, sqlx::Error> {
        let (Some(session), Some(epoch), false) = (claims.sid, claims.epoch, claims.is_service()) else {
            return Ok(None);
        };
        let user = SessionRows(&mut db.read().await?).active_user(session).await?;
        Ok(user.filter(|user| user.epoch == epoch && user.id.to_string() == claims.sub))
    }
}
