//! How often somebody may try to guess a password: so often for each account and network, and ten times as often for each account
//! from all networks together that its owner has never logged in from. So whoever guesses is stopped, and can't lock the owner
//! out. It counts before anything is hashed, in the database: for all replicas, over restarts, and for accounts that nobody has
//! just as for others.

use std::num::NonZeroU32;

use chrono::{DateTime, Utc};
use db::{Conn, Db, Tx};

use crate::call::Call;
use crate::domain::{Account, Allowance, EmailAddress, Network, sha256};
use crate::error::UserError;
use crate::store::{LoginFailures, LoginNetworks};

const NETWORKS: u32 = 10;

/// Counts tries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throttle {
    /// From one network.
    strict: Allowance,
    /// From all that are not known.
    loose: Allowance,
}

/// A try at an account's password.
#[derive(Debug)]
pub(crate) struct Attempt {
    account: [u8; 32],
    network: Network,
    /// Whether the account's owner has logged in from that network.
    is_known: bool,
}

/// A try that was counted as if it had failed.
#[derive(Debug)]
pub(crate) struct Counted {
    attempt: Attempt,
    /// Whether it is the last one that was free.
    pub is_last: bool,
}

impl Throttle {
    /// One with so many failures free for each account and network (`LOGIN_FREE_FAILURES`).
    pub(crate) fn new(free: NonZeroU32) -> Self {
        Self {
            strict: Allowance::of(free),
            loose: Allowance::of(free.saturating_mul(NonZeroU32::MIN.saturating_add(NETWORKS - 1))),
        }
    }

    /// Lets a try through at the password of whoever has this address, unless there were too many. It changes nothing, so that
    /// whoever is refused costs little.
    pub(crate) async fn admit(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        account: Option<&Account>,
        call: &Call,
    ) -> Result<Attempt, UserError> {
        let mut conn = db.read().await?;
        let network = call.network();
        let is_known = LoginNetworks(&mut conn)
            .know(account.map(|account| account.id), &network)
            .await?;
        let attempt = Attempt {
            account: account_hash(email),
            network,
            is_known,
        };
        match self.wait(&mut conn, &attempt, call.at()).await? {
            0 => Ok(attempt),
            wait => Err(throttled(wait)),
        }
    }

    /// Counts a try that was let through, before it is known whether it will fail. Of any number of tries at once, as many are
    /// counted as are free, and the others refused.
    pub(crate) async fn count(&self, db: &Db, attempt: Attempt, call: &Call) -> Result<Counted, UserError> {
        let now = call.at().timestamp_micros();
        let Attempt {
            account,
            network,
            is_known,
        } = &attempt;
        let count = async |tx: &mut Tx| {
            let mut failures = LoginFailures(tx);
            let strict = failures
                .count(account, network, self.strict, now)
                .await?
                .ok_or(throttled(0))?;
            let is_last = self.strict.is_used_up(strict, now);
            if *is_known {
                return Ok(is_last);
            }
            let loose = failures
                .count(account, &Network::any(), self.loose, now)
                .await?
                .ok_or(throttled(0))?;
            Ok(is_last || self.loose.is_used_up(loose, now))
        };
        match db.transaction(count).await {
            Ok(is_last) => Ok(Counted { attempt, is_last }),
            // Others were quicker.
            Err(UserError::Throttled { .. }) => Err(throttled(
                self.wait(&mut db.read().await?, &attempt, call.at()).await?,
            )),
            Err(error) => Err(error),
        }
    }

    /// Takes back that a try was counted: it was right, or no password was compared.
    pub(crate) async fn forgive(&self, conn: &mut Conn, counted: &Counted) -> Result<(), sqlx::Error> {
        let Attempt {
            account,
            network,
            is_known,
        } = &counted.attempt;
        LoginFailures(conn).forgive(account, network, self.strict).await?;
        if !is_known {
            LoginFailures(conn)
                .forgive(account, &Network::any(), self.loose)
                .await?;
        }
        Ok(())
    }

    /// Remembers where somebody logged in from.
    pub(crate) async fn remember(conn: &mut Conn, account: &Account, call: &Call) -> Result<(), sqlx::Error> {
        LoginNetworks(conn)
            .remember(account.id, &call.network(), call.at())
            .await
    }

    /// Microseconds until the next try is free.
    async fn wait(&self, conn: &mut Conn, attempt: &Attempt, now: DateTime<Utc>) -> Result<i64, sqlx::Error> {
        let now = now.timestamp_micros();
        let Attempt {
            account,
            network,
            is_known,
        } = attempt;
        let mut failures = LoginFailures(conn);
        let strict = self.strict.wait(failures.fades_at(account, network).await?, now);
        if *is_known {
            return Ok(strict);
        }
        Ok(strict.max(
            self.loose
                .wait(failures.fades_at(account, &Network::any()).await?, now),
        ))
    }
}

/// A refusal, after which so many microseconds have to pass.
fn throttled(wait: i64) -> UserError {
    let seconds = wait.unsigned_abs().div_ceil(1_000_000).max(1);
    UserError::Throttled {
        retry_after: u32::try_from(seconds).unwrap_or(u32::MAX),
    }
}

/// What an account is counted under. What is no address is nobody's, and all of it is counted together.
fn account_hash(email: Option<&EmailAddress>) -> [u8; 32] {
    let key = email.map(EmailAddress::key).unwrap_or_default();
    sha256(key.as_bytes())
}
