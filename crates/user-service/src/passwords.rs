//! Passwords: a presented password is counted as a failed login, then compared, and uncounted if it is correct.
//!
//! - `throttle` counts failed logins and refuses further attempts.
//! - `hashing` hashes and compares, with bounded memory and CPU.
//!
//! Which passwords may be chosen is a rule of `domain::password`.

pub(crate) mod hashing;
mod throttle;

use db::{Conn, Db, Tx};

pub use self::hashing::HashingConfig;
use self::hashing::{Hashing, HashingError};
use self::throttle::CountedAttempt;
pub(crate) use self::throttle::Throttle;
use crate::context::RequestContext;
use crate::domain::{Account, EmailAddress, Entry, Event, password};
use crate::error::UserError;
use crate::store::AuditLog;

/// Hashes and checks passwords. Clones share the hashing slots.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    pub hashing: Hashing,
    pub throttle: Throttle,
}

/// The result of comparing a presented password. It is still counted as a failure; see [`Passwords::accept`].
#[derive(Debug)]
pub(crate) struct PasswordCheck {
    pub is_correct: bool,
    attempt: CountedAttempt,
}

impl Passwords {
    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, HashingError> {
        self.hashing.hash(password::normalize(password)).await
    }

    /// Fails if every hashing slot and place in the queue is taken. Called before the database is queried, so that refusing a flood
    /// of logins is cheap.
    pub(crate) fn require_room(&self) -> Result<(), HashingError> {
        if self.hashing.has_room() {
            Ok(())
        } else {
            Err(HashingError::Busy)
        }
    }

    /// Compares a presented password with the one of `user`. Without a user or an email address it takes as long, and is wrong.
    /// The attempt is counted as a failure until [`accept`](Self::accept).
    pub(crate) async fn check(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        user: Option<&Account>,
        password: &str,
        context: &RequestContext,
    ) -> Result<PasswordCheck, UserError> {
        let attempt = self.throttle.admit(db, email, user, context).await?;
        let place = self.hashing.take_place()?;
        let attempt = self.throttle.count(db, attempt, context).await?;

        let hash = user.and_then(|user| user.password_hash.as_deref());
        let password = password::normalize(password);
        match self.hashing.matches(place, password, hash).await {
            Ok(is_correct) => Ok(PasswordCheck { is_correct, attempt }),
            Err(error) => Err(self.uncount(db, &attempt, error).await),
        }
    }

    /// Like [`hash`](Self::hash), for the new password of a user whose current one was just checked. If there is no slot, the
    /// attempt is uncounted.
    pub(crate) async fn hash_after(
        &self,
        db: &Db,
        check: &PasswordCheck,
        password: &str,
    ) -> Result<String, UserError> {
        match self.hash(password).await {
            Ok(hash) => Ok(hash),
            Err(error) => Err(self.uncount(db, &check.attempt, error).await),
        }
    }

    /// Uncounts an attempt that was not decided, since there was no hashing slot for it.
    async fn uncount(&self, db: &Db, attempt: &CountedAttempt, error: HashingError) -> UserError {
        let uncount = async |tx: &mut Tx| self.throttle.uncount(tx, attempt).await;
        match db.transaction(uncount).await {
            Ok(()) => error.into(),
            Err(error) => error.into(),
        }
    }

    /// Uncounts a correct password, and remembers the network of its user. The transaction must have locked the user: they may have
    /// been deleted during the comparison.
    pub(crate) async fn accept(
        &self,
        conn: &mut Conn,
        check: &PasswordCheck,
        user: &Account,
        context: &RequestContext,
    ) -> Result<(), sqlx::Error> {
        self.throttle.uncount(conn, &check.attempt).await?;
        Throttle::remember_network(conn, user, context).await
    }

    /// A new hash of a correct password, if the stored one was made at another cost and a slot is free.
    pub(crate) async fn rehash_if_outdated(&self, user: &Account, password: &str) -> Option<String> {
        let hash = user.password_hash.as_deref()?;
        if !self.hashing.is_outdated(hash) {
            return None;
        }
        self.hash(password)
            .await
            .inspect_err(|error| tracing::warn!(%error, "an outdated password hash was not replaced"))
            .ok()
    }
}

impl PasswordCheck {
    /// Adds the failure to the audit log, and a second entry if it used up the allowance.
    pub(crate) async fn record_failure(
        &self,
        db: &Db,
        entry: Entry,
        context: &RequestContext,
    ) -> Result<(), sqlx::Error> {
        let mut tx = db.begin().await?;
        AuditLog(&mut tx).add(&entry, context).await?;
        if self.attempt.is_last {
            let throttled = Entry {
                event: Event::LoginThrottled,
                ..entry
            };
            AuditLog(&mut tx).add(&throttled, context).await?;
        }
        tx.commit().await
    }
}
