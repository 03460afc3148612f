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
    /// The token was replaced earlier, and its successor may be in other hands: the session has to end.
    Replayed(Session),
}

impl Sessions {
    /// Exchanges a refresh token for the next token pair. Of concurrent requests with the same token, one rotates it; the others
    /// get the same successor if they arrived within the grace period.
    pub(crate) async fn refresh(
        &self,
        token: &RefreshToken,
        context: &RequestContext,
    ) -> Result<Refreshed, UserError> {
        // The grace period is measured from the arrival of the request, however long it waits in the queue.
        let arrived_at = context.time();
        let RotationOutcome { session, rotated_at } =
            self.rotations.rotate(self.rotation(token, context)?).await?;
        let Some(SessionWithUser { session, user }) =
            session.filter(|found| found.session.is_live(rotated_at))
        else {
            return Err(UserError::InvalidRefreshToken);
        };

        match &session.rotation_nonce {
            Some(nonce) if session.was_just_replaced(token, arrived_at, self.lifetimes.grace) => {
                if user.disabled {
                    return Err(UserError::InvalidRefreshToken);
                }
                let successor = self.successors.of(token, nonce);
                self.token_pair(user, session.id, &successor, session.token_expires_at, arrived_at)
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
            successor_hash: self.successors.of(token, &nonce).hash(),
            nonce,
            ip: context.ip().unwrap_or_default(),
            user_agent: context.user_agent.clone().unwrap_or_default(),
        })
    }

    /// The session that a refresh with this token would continue now.
    pub(crate) async fn find_refreshable(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, sqlx::Error> {
        let session = SessionRows(conn).find_by_token(token).await?.filter(|session| {
            session.is_live(now)
                && (session.is_newest(token) || session.was_just_replaced(token, now, self.lifetimes.grace))
        });
        let Some(session) = session else { return Ok(None) };

        let user = SessionRows(conn).active_user(session.id).await?;
        Ok(user.map(|_| session))
    }

    /// The session that a client may end with this token: the newest token or the previous one, since the client may have missed
    /// the last response.
    pub(crate) async fn find_endable(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, sqlx::Error> {
        let session = SessionRows(conn).find_by_token(token).await?.filter(|session| {
            session.is_newest(token) || session.was_just_replaced(token, now, self.lifetimes.session)
        });
        Ok(session.map(|session| session.id))
    }

    /// The user of a validly signed access token, unless the database says that it is revoked. `None` for a service token too.
    pub(crate) async fn active_user(&self, db: &Db, claims: &Claims) -> Result<Option<Account>, sqlx::Error> {
        let (Some(session), Some(epoch), false) = (claims.sid, claims.epoch, claims.is_service()) else {
            return Ok(None);
        };
        let user = SessionRows(&mut db.read().await?).active_user(session).await?;
        Ok(user.filter(|user| user.epoch == epoch && user.id.to_string() == claims.sub))
    }
}
