//! The login throttle. It allows a number of failures per account and network, and ten times that number per account from all
//! networks together that its user has never logged in from. So guessing is stopped, and an attacker elsewhere can't lock the user
//! out of a network that they log in from. Failures are counted before anything is hashed, and in the database: for all replicas,
//! across restarts, and for accounts that don't exist in the same way.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use db::{Conn, Db, Tx};

use crate::context::RequestContext;
use crate::domain::{Account, Allowance, EmailAddress, Network, sha256};
use crate::error::UserError;
use crate::store::{LoginFailures, LoginNetworks};

/// The allowance of all unknown networks together, as a multiple of the allowance of one network.
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
    /// Whether the user has logged in from this network before.
    is_known: bool,
}

/// A login attempt that is counted as a failure.
#[derive(Debug)]
pub(crate) struct CountedAttempt {
    attempt: LoginAttempt,
    /// Whether it used up the allowance.
    pub is_last: bool,
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
    /// Allows this many failures per account and network in 15 minutes (`LOGIN_FREE_FAILURES`).
    pub(crate) fn new(free: NonZeroU32) -> Self {
        Self {
            per_network: Allowance::of(free),
            unknown_networks: Allowance::of(free.saturating_mul(UNKNOWN_NETWORKS_FACTOR)),
        }
    }

    /// Refuses an attempt at this account if there were too many failures. It only reads, so that refusals are cheap.
    pub(crate) async fn admit(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        user: Option<&Account>,
        context: &RequestContext,
    ) -> Result<LoginAttempt, UserError> {
        let mut conn = db.read().await?;
        let network = context.network();
        let is_known = LoginNetworks(&mut conn)
            .is_known(user.map(|user| user.id), &network)
            .await?;
        let attempt = LoginAttempt {
            account: account_hash(email),
            network,
            is_known,
        };
        match self.wait(&mut conn, &attempt, context.time()).await? {
            0 => Ok(attempt),
            wait => Err(throttled(wait)),
        }
    }

    /// Counts an admitted attempt, before it is known whether it will fail. Concurrent attempts above the allowance are refused.
    pub(crate) async fn count(
        &self,
        db: &Db,
        attempt: LoginAttempt,
        context: &RequestContext,
    ) -> Result<CountedAttempt, UserError> {
        let now = context.time();
        let count = async |tx: &mut Tx| self.count_in(tx, &attempt, now.timestamp_micros()).await;
        match db.transaction(count).await {
            Ok(is_last) => Ok(CountedAttempt { attempt, is_last }),
            // Concurrent attempts used up the allowance after this one was admitted.
            Err(NotCounted::UsedUp) => {
                let wait = self.wait(&mut db.read().await?, &attempt, now).await?;
                Err(throttled(wait))
            }
            Err(NotCounted::Database(error)) => Err(error.into()),
        }
    }

    /// Counts an attempt, and returns whether it used up the allowance.
    async fn count_in(&self, conn: &mut Conn, attempt: &LoginAttempt, now: i64) -> Result<bool, NotCounted> {
        let mut is_last = false;
        for (network, allowance) in self.counters(attempt) {
            let fades_at = LoginFailures(conn)
                .count(&attempt.account, &network, allowance, now)
                .await?
                .ok_or(NotCounted::UsedUp)?;
            is_last |= allowance.is_used_up(fades_at, now);
        }
        Ok(is_last)
    }

    /// Uncounts an attempt: the password was correct, or was not compared.
    pub(crate) async fn uncount(&self, conn: &mut Conn, counted: &CountedAttempt) -> Result<(), sqlx::Error> {
        let attempt = &counted.attempt;
        for (network, allowance) in self.counters(attempt) {
            LoginFailures(conn)
                .uncount(&attempt.account, &network, allowance)
                .await?;
        }
        Ok(())
    }

    /// Remembers the network that a user logged in from.
    pub(crate) async fn remember_network(
        conn: &mut Conn,
        user: &Account,
        context: &RequestContext,
    ) -> Result<(), sqlx::Error> {
        LoginNetworks(conn)
            .remember(user.id, &context.network(), context.time())
            .await
    }

    /// Microseconds until the next attempt is free.
    async fn wait(
        &self,
        conn: &mut Conn,
        attempt: &LoginAttempt,
        now: DateTime<Utc>,
    ) -> Result<i64, sqlx::Error> {
        let now = now.timestamp_micros();
        let mut longest = 0;
        for (network, allowance) in self.counters(attempt) {
            let fades_at = LoginFailures(conn).fades_at(&attempt.account, &network).await?;
            longest = allowance.wait(fades_at, now).max(longest);
        }
        Ok(longest)
    }

    /// The counters of an attempt: that of its network and, unless the network is known, that of all unknown networks. Every
    /// transaction locks them in this order.
    fn counters(&self, attempt: &LoginAttempt) -> impl Iterator<Item = (Network, Allowance)> + use<> {
        let own = (attempt.network.clone(), self.per_network);
        let unknown = (!attempt.is_known).then_some((Network::any(), self.unknown_networks));
        std::iter::once(own).chain(unknown)
    }
}

/// The error for an attempt that is free after this many microseconds.
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
