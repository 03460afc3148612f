//! Rows for tests.

use chrono::{DateTime, TimeDelta, Utc};
use db::Tx;
use uuid::Uuid;

use super::{NewSession, NewUser, UserRows};
use crate::domain::{EmailAddress, RefreshToken};

/// Adds Ada, a user with the role `user`, and returns her id.
pub(crate) async fn add_ada(tx: &mut Tx, now: DateTime<Utc>) -> Uuid {
    let id = Uuid::from_u128(1);
    let email = EmailAddress::parse("ada@example.com").unwrap();
    let ada = NewUser {
        id,
        email: &email,
        email_verified: false,
        name: "Ada",
        password_hash: Some(""),
        roles: "user",
        now,
    };
    assert!(UserRows(tx).add(&ada).await.unwrap());
    id
}

/// A session in which everything expires one hour after `now`.
pub(crate) fn new_session(
    id: Uuid,
    user_id: Uuid,
    token: &RefreshToken,
    now: DateTime<Utc>,
) -> NewSession<'_> {
    let expires_at = now + TimeDelta::hours(1);
    NewSession {
        id,
        user_id,
        token,
        now,
        token_expires_at: expires_at,
        expires_at,
        access_expires_at: expires_at,
        ip: "",
        user_agent: "",
        method: "password",
    }
}
