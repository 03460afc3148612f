//! The rotation of refresh tokens in the table `sessions`: one statement rotates a batch of tokens.

use chrono::{DateTime, Utc};
use db::{Conn, on};
use sqlx::AssertSqlSafe;

use super::users::user_columns;
use crate::domain::SessionWithUser;

/// The table `sessions`, for rotations.
pub(crate) struct RotationRows<'c>(pub &'c mut Conn);

/// The replacement of a refresh token by its successor.
#[derive(Debug)]
pub(crate) struct Rotation {
    pub family_hash: [u8; 32],
    pub token_hash: [u8; 32],
    pub successor_hash: [u8; 32],
    pub nonce: [u8; 32],
    /// The address of the client that refreshes.
    pub ip: String,
    pub user_agent: String,
}

/// The time of a rotation, and the expiry times that result from this time.
#[derive(Debug)]
pub(crate) struct RotationTimes {
    pub now: DateTime<Utc>,
    pub token_expires_at: DateTime<Utc>,
    pub access_expires_at: DateTime<Utc>,
}

impl RotationRows<'_> {
    /// Replaces each token by its successor, if the token is the newest token of a live session. Of several rotations of the same
    /// token, only one takes effect.
    pub(crate) async fn rotate(
        &mut self,
        rotations: &[Rotation],
        times: &RotationTimes,
    ) -> Result<(), sqlx::Error> {
        let rows = placeholders(6, rotations.len(), 3);
        let sql = format!(
            "with next (family_hash, token_hash, successor_hash, nonce, ip, user_agent) as (values {rows})
             update sessions
             set token_hash = next.successor_hash, previous_hash = sessions.token_hash, rotation_nonce = next.nonce,
                 rotated_at = $1, last_used_at = $1,
                 token_expires_at = case when $2 < expires_at then $2 else expires_at end,
                 access_expires_at = case when $3 > access_expires_at then $3 else access_expires_at end,
                 ip = next.ip, user_agent = next.user_agent
             from next
             where sessions.family_hash = next.family_hash and sessions.token_hash = next.token_hash
               and ended_at is null and token_expires_at > $1 and expires_at > $1"
        );
        on!(self.0, conn => {
            let mut query = sqlx::query(AssertSqlSafe(sql))
                .bind(times.now)
                .bind(times.token_expires_at)
                .bind(times.access_expires_at);
            for rotation in padded(rotations) {
                query = query
                    .bind(rotation.family_hash.as_slice())
                    .bind(rotation.token_hash.as_slice())
                    .bind(rotation.successor_hash.as_slice())
                    .bind(rotation.nonce.as_slice())
                    .bind(&rotation.ip)
                    .bind(&rotation.user_agent);
            }
            query.execute(conn).await.map(drop)
        })
    }

    /// The sessions of these refresh tokens, each with its user. Ended sessions and disabled users are included. One statement
    /// reads all data that an access token depends on. So a concurrent revocation is either visible here, or revokes the token
    /// that is issued from this data.
    pub(crate) async fn find_with_user(
        &mut self,
        rotations: &[Rotation],
    ) -> Result<Vec<SessionWithUser>, sqlx::Error> {
        let rows = placeholders(1, rotations.len(), 0);
        let sql = format!(
            "select sessions.id as session_id, user_id, family_hash, token_hash, previous_hash, rotation_nonce, rotated_at,
                    token_expires_at, expires_at, ended_at, {columns}
             from sessions join users on users.id = sessions.user_id
             where family_hash in (values {rows})",
            columns = user_columns!(),
        );
        on!(self.0, conn => {
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for rotation in padded(rotations) {
                query = query.bind(rotation.family_hash.as_slice());
            }
            query.fetch_all(conn).await
        })
    }
}

/// The rotations, with some repeated so that their number is a power of two. The database prepares a separate statement for each
/// number of rows, and this limits the number of statements. A repeated rotation changes nothing.
fn padded(rotations: &[Rotation]) -> impl Iterator<Item = &Rotation> {
    rotations.iter().cycle().take(rotations.len().next_power_of_two())
}

/// The placeholders for the rows of [`padded`], numbered from `after + 1`: `($4, $5), ($6, $7)`.
fn placeholders(columns: usize, rotations: usize, after: usize) -> String {
    let row = |row: usize| {
        let placeholders = (1..=columns).map(|column| format!("${}", after + row * columns + column));
        format!("({})", placeholders.collect::<Vec<_>>().join(", "))
    };
    (0..rotations.next_power_of_two())
        .map(row)
        .collect::<Vec<_>>()
        .join(", ")
}
