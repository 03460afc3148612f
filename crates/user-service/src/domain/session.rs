//! Sessions: when a session is live, and which of its refresh tokens is the newest and which the previous one.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::domain::refresh_token::RefreshToken;
use crate::domain::user::Account;

/// The data of a session that a refresh needs.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Session {
    #[sqlx(rename = "session_id")]
    pub id: Uuid,
    pub user_id: Uuid,
    family_hash: Vec<u8>,
    token_hash: Vec<u8>,
    previous_hash: Option<Vec<u8>>,
    /// The nonce from which the newest token was derived. `None` before the first rotation.
    pub rotation_nonce: Option<Vec<u8>>,
    rotated_at: Option<DateTime<Utc>>,
    pub token_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

/// A session and its user.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct SessionWithUser {
    #[sqlx(flatten)]
    pub session: Session,
    #[sqlx(flatten)]
    pub user: Account,
}

/// A session that was ended.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct EndedSession {
    pub id: Uuid,
    pub user_id: Uuid,
    /// No access token of the session expires later than this.
    pub access_expires_at: DateTime<Utc>,
}

/// A session in the list that its user can request.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ListedSession {
    pub id: Uuid,
    pub created_at: DateTime<Utc>,
    pub last_used_at: DateTime<Utc>,
    pub ip: String,
    pub user_agent: String,
    pub method: String,
}

impl Session {
    /// Whether the tokens of this family belong to the session, including tokens that were replaced long ago.
    pub(crate) fn is_of_family(&self, family_hash: &[u8; 32]) -> bool {
        self.family_hash == family_hash
    }

    /// Whether the session has neither ended nor expired, and its newest refresh token has not expired.
    pub(crate) fn is_live(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.token_expires_at && now < self.expires_at
    }

    /// Whether this is the newest refresh token.
    pub(crate) fn is_newest(&self, token: &RefreshToken) -> bool {
        self.token_hash == token.hash()
    }

    /// Whether this is the previous token, and was replaced at most `period` before `now`. The client of a previous token may have
    /// missed the response with the newest one.
    pub(crate) fn is_previous_within(
        &self,
        token: &RefreshToken,
        now: DateTime<Utc>,
        period: TimeDelta,
    ) -> bool {
        let is_previous = self.previous_hash.as_deref() == Some(&token.hash());
        is_previous
            && self
                .rotated_at
                .is_some_and(|rotated_at| now - rotated_at <= period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> (Session, RefreshToken, RefreshToken) {
        let [previous, newest] = [(); 2].map(|()| RefreshToken::generate().unwrap());
        let session = Session {
            id: Uuid::from_u128(1),
            user_id: Uuid::from_u128(2),
            family_hash: newest.family_hash().to_vec(),
            token_hash: newest.hash().to_vec(),
            previous_hash: Some(previous.hash().to_vec()),
            rotation_nonce: None,
            rotated_at: Some(DateTime::UNIX_EPOCH),
            token_expires_at: DateTime::UNIX_EPOCH + TimeDelta::days(7),
            expires_at: DateTime::UNIX_EPOCH + TimeDelta::days(30),
            ended_at: None,
        };
        (session, previous, newest)
    }

    #[test]
    fn a_session_is_live_until_it_ends_or_it_or_its_newest_token_expires() {
        let (session, ..) = session();
        let instant = TimeDelta::microseconds(1);
        let token_expires_at = session.token_expires_at;
        assert!(session.is_live(token_expires_at - instant) && !session.is_live(token_expires_at));

        let with_long_token = Session {
            token_expires_at: session.expires_at + TimeDelta::days(1),
            ..session.clone()
        };
        assert!(with_long_token.is_live(session.expires_at - instant));
        assert!(!with_long_token.is_live(session.expires_at));

        let ended = Session {
            ended_at: Some(DateTime::UNIX_EPOCH),
            ..session
        };
        assert!(!ended.is_live(DateTime::UNIX_EPOCH));
    }

    #[test]
    fn only_the_previous_token_is_previous_and_only_within_the_period() {
        let (session, previous, newest) = session();
        let period = TimeDelta::seconds(10);
        let end = DateTime::UNIX_EPOCH + period;
        assert!(session.is_previous_within(&previous, end, period));
        assert!(!session.is_previous_within(&previous, end + TimeDelta::microseconds(1), period));
        assert!(!session.is_previous_within(&newest, end, period));
        assert!(session.is_newest(&newest) && !session.is_newest(&previous));
    }

    #[test]
    fn a_session_owns_only_its_own_token_family() {
        let (session, _, newest) = session();
        let of_another_session = RefreshToken::generate().unwrap();
        assert!(session.is_of_family(&newest.family_hash()));
        assert!(!session.is_of_family(&of_another_session.family_hash()));
    }
}
