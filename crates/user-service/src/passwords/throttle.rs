//! The login throttle. Per account, the throttle allows N failures from each network, and 10 × N failures from all unknown
//! networks together. A network is known if the user has logged in from it in the last 180 days. So an attacker can't guess a
//! password, and can't stop the user from logging in from a known network.
//!
//! Failures are counted in the database, before anything is hashed: the count holds for all replicas and survives restarts. An
//! account that does not exist is counted like any other.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use db::{Conn, Db, Tx};

use crate::context::RequestContext;
use crate::domain::{Account, Allowance, EmailAddress, Network, sha256};
use crate::error::UserError;
use crate::store::{LoginFailureRows, LoginNetworkRows};

/// The ratio of the allowance of all unknown networks together to the allowance of one network.
const UNKNOWN_NETWORKS_FACTOR: NonZeroU32 = NonZeroU32::new(10).unwrap();

/// Counts login attempts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throttle {
    per_network: Allowance,
    unknown_networks: Allowance,
}

/// A login attempt that is not counted yet.
#[derive(Debug)]
pub(crate) struct LoginAttempt {
    account: [u8; 32],
    network: Network,
    /// Whether the user has logged in from this network in the last 180 days.
    is_known_network: bool,
}

/// A login attempt that is counted as a failure.
#[derive(Debug)]
pub(crate) struct CountedAttempt {
    attempt: LoginAttempt,
    /// Whether this attempt used up the allowance.
    pub used_up_allowance: bool,
}

/// Why an attempt was not counted.
#[derive(Debug, thiserror::Error)]
enum NotCounted {
    #[error("the allowance is used up")]
    UsedUp,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Throttle {
    /// Allows this many unexpired failures per account and network (`LOGIN_FREE_FAILURES`).
    pub(crate) fn new(allowed: NonZeroU32) -> Self {
        Self {
            per_network: Allowance::of(allowed),
            unknown_networks: Allowance::of(allowed.saturating_mul(UNKNOWN_NETWORKS_FACTOR)),
        }
    }

    /// Refuses an attempt for this account if there were too many failures. This method only reads, so a refusal is cheap.
    pub(crate) async fn admit(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        user: Option<&Account>,
        context: &RequestContext,
    ) -> Result<LoginAttempt, UserError> {
        let mut conn = db.read().await?;
        let network = context.network();
        let is_known_network = LoginNetworkRows(&mut conn)
            .is_known(user.map(|user| user.id), &network)
            .await?;
        let attempt = LoginAttempt {
            account: account_hash(email),
            network,
            is_known_network,
        };
        match self.wait(&mut conn, &attempt, context.time()).await? {
            0 => Ok(attempt),
            wait => Err(throttled(wait)),
        }
    }

    /// Counts an admitted attempt as a failure, before its password is compared. Concurrent attempts above the allowance are
    /// refused.
    pub(crate) async fn count(
        &self,
        db: &Db,
        attempt: LoginAttempt,
        context: &RequestContext,
    ) -> Result<CountedAttempt, UserError> {
        let now = context.time();
        let count = async |tx: &mut Tx| self.count_in(tx, &attempt, now.timestamp_micros()).await;
        match db.transaction(count).await {
            Ok(used_up_allowance) => Ok(CountedAttempt {
                attempt,
                used_up_allowance,
            }),
            // Concurrent attempts used up the allowance after this attempt was admitted.
            Err(NotCounted::UsedUp) => {
                let wait = self.wait(&mut db.read().await?, &attempt, now).await?;
                Err(throttled(wait))
            }
            Err(NotCounted::Database(error)) => Err(error.into()),
        }
    }

    /// Counts an attempt as a failure, and returns whether this failure used up the allowance.
    async fn count_in(&self, conn: &mut Conn, attempt: &LoginAttempt, now: i64) -> Result<bool, NotCounted> {
        let mut used_up_allowance = false;
        for (network, allowance) in self.counters(attempt) {
            let failures_expire_at = LoginFailureRows(conn)
                .record(&attempt.account, &network, allowance, now)
                .await?
                .ok_or(NotCounted::UsedUp)?;
            used_up_allowance |= allowance.is_used_up(failures_expire_at, now);
        }
        Ok(used_up_allowance)
    }

    /// Removes the failure of an attempt whose password was correct or was not compared.
    pub(crate) async fn refund(&self, conn: &mut Conn, counted: &CountedAttempt) -> Result<(), sqlx::Error> {
        let attempt = &counted.attempt;
        for (network, allowance) in self.counters(attempt) {
            LoginFailureRows(conn)
                .refund(&attempt.account, &network, allowance)
                .await?;
        }
        Ok(())
    }

    /// Microseconds until the next attempt is allowed.
    async fn wait(
        &self,
        conn: &mut Conn,
        attempt: &LoginAttempt,
        now: DateTime<Utc>,
    ) -> Result<i64, sqlx::Error> {
        let now = now.timestamp_micros();
        let mut longest = 0;
        for (network, allowance) in self.counters(attempt) {
            let failures_expire_at = LoginFailureRows(conn)
                .failures_expire_at(&attempt.account, &network)
                .await?;
            longest = allowance.wait(failures_expire_at, now).max(longest);
        }
        Ok(longest)
    }

    /// The counters of an attempt: the counter of its network and, unless the network is known, the counter of all unknown
    /// networks. Every transaction locks the counters in this order.
    fn counters(&self, attempt: &LoginAttempt) -> impl Iterator<Item = (Network, Allowance)> + use<> {
        let own = (attempt.network.clone(), self.per_network);
        let unknown = (!attempt.is_known_network).then_some((Network::ALL_UNKNOWN, self.unknown_networks));
        std::iter::once(own).chain(unknown)
    }
}

/// The error for an attempt that is allowed after `wait` microseconds.
fn throttled(wait: i64) -> UserError {
    let seconds = wait.unsigned_abs().div_ceil(1_000_000).max(1);
    UserError::Throttled {
        retry_after: u32::try_from(seconds).unwrap_or(u32::MAX),
    }
}

/// The hash by which an account is counted. Invalid addresses share one counter.
fn account_hash(email: Option<&EmailAddress>) -> [u8; 32] {
    sha256(email.map(EmailAddress::key).unwrap_or_default().as_bytes())
}
