//! How often somebody may try to guess a password: so often for each account and network, and ten times as often for each account
//! from all networks together that its owner has never logged in from. So whoever guesses is stopped, and can't lock the owner
//! out. It counts before anything is hashed, in the database: for all replicas, over restarts, and for accounts that nobody has
//! just as for others.

use std::num::NonZeroU32;

use db::{Conn, Db};

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

/// A try that was counted as if it had failed.
#[derive(Debug)]
pub(crate) struct Counted {
    account: [u8; 32],
    network: Network,
    is_known: bool,
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

    /// Counts a try at the password of whoever has this address, before it is known whether it will fail.
    pub(crate) async fn count(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        account: Option<&Account>,
        call: &Call,
    ) -> Result<Counted, UserError> {
        let (hash, network) = (account_hash(email), call.network());
        let user_id = account.map(|account| account.id);
        let is_known = LoginNetworks(&mut db.read().await?).know(user_id, &network).await?;
        let now = call.at.timestamp_micros();

        let mut tx = db.begin().await?;
        let strict = LoginFailures(&mut tx).count(&hash, &network, self.strict, now).await?;
        let loose = match strict {
            Some(_) if !is_known => {
                LoginFailures(&mut tx).count(&hash, &Network::any(), self.loose, now).await?
            }
            other => other,
        };
        let (Some(strict), Some(loose)) = (strict, loose) else {
            drop(tx); // What was counted so far of this try does not count.
            return Err(self.refusal(&mut db.read().await?, &hash, &network, is_known, now).await?);
        };
        tx.commit().await?;

        let is_last = self.strict.is_used_up(strict, now) || (!is_known && self.loose.is_used_up(loose, now));
        Ok(Counted { account: hash, network, is_known, is_last })
    }

    /// Takes back that a try was counted: it was right, or no password was compared.
    pub(crate) async fn forgive(&self, conn: &mut Conn, counted: &Counted) -> Result<(), sqlx::Error> {
        let Counted { account, network, is_known, .. } = counted;
        LoginFailures(conn).forgive(account, network, self.strict).await?;
        if !is_known {
            LoginFailures(conn).forgive(account, &Network::any(), self.loose).await?;
        }
        Ok(())
    }

    /// Remembers where somebody logged in from.
    pub(crate) async fn remember(conn: &mut Conn, account: &Account, call: &Call) -> Result<(), sqlx::Error> {
        LoginNetworks(conn).remember(account.id, &call.network(), call.at).await
    }

    async fn refusal(
        &self,
        conn: &mut Conn,
        account: &[u8; 32],
        network: &Network,
        is_known: bool,
        now: i64,
    ) -> Result<UserError, sqlx::Error> {
        let mut wait = self.strict.wait(LoginFailures(conn).fades_at(account, network).await?, now);
        if !is_known {
            let fades_at = LoginFailures(conn).fades_at(account, &Network::any()).await?;
            wait = wait.max(self.loose.wait(fades_at, now));
        }
        let seconds = wait.unsigned_abs().div_ceil(1_000_000).max(1);
        Ok(UserError::Throttled { retry_after: u32::try_from(seconds).unwrap_or(u32::MAX) })
    }
}

/// What an account is counted under. What is no address is nobody's, and all of it is counted together.
fn account_hash(email: Option<&EmailAddress>) -> [u8; 32] {
    let key = email.map(EmailAddress::key).unwrap_or_default();
    sha256(key.as_bytes())
}
