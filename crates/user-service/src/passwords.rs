//! Passwords: hashing, checking and throttling. A presented password is counted as a failed login before it is compared. If the
//! password is correct, the failure is removed again.
//!
//! - `throttle` counts failed logins and refuses further attempts.
//! - `hashing` hashes and compares, with bounded memory and CPU.
//!
//! `domain::password` defines which passwords are allowed.

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
use crate::store::AuditLogRows;

/// Hashes and checks passwords. Clones share the hashing slots.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    pub hashing: Hashing,
    pub throttle: Throttle,
}

/// The result of comparing a presented password. The attempt is counted as a failure until [`Passwords::record_success`].
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

    /// Fails if every hashing slot is taken and the queue is full. Called before the database is queried, so that refusing a flood
    /// of logins is cheap.
    pub(crate) fn require_capacity(&self) -> Result<(), HashingError> {
        if self.hashing.has_capacity() {
            Ok(())
        } else {
            Err(HashingError::Busy)
        }
    }

    /// Compares a presented password with the password of `user`. Without a user or an email address, the check takes the same
    /// time, and `is_correct` is false. The attempt is counted as a failure until
    /// [`record_success`](Self::record_success).
    pub(crate) async fn check(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        user: Option<&Account>,
        password: &str,
        context: &RequestContext,
    ) -> Result<PasswordCheck, UserError> {
        let attempt = self.throttle.admit(db, email, user, context).await?;
        let permit = self.hashing.acquire()?;
        let attempt = self.throttle.count(db, attempt, context).await?;

        let hash = user.and_then(|user| user.password_hash.as_deref());
        let password = password::normalize(password);
        match self.hashing.matches(permit, password, hash).await {
            Ok(is_correct) => Ok(PasswordCheck { is_correct, attempt }),
            Err(error) => Err(self.refund(db, &attempt, error).await),
        }
    }

    /// Hashes the new password of a user whose current password was just checked. If hashing fails, the checked attempt is no
    /// longer counted as a failure.
    pub(crate) async fn hash_replacement(
        &self,
        db: &Db,
        check: &PasswordCheck,
        password: &str,
    ) -> Result<String, UserError> {
        match self.hash(password).await {
            Ok(hash) => Ok(hash),
            Err(error) => Err(self.refund(db, &check.attempt, error).await),
        }
    }

    /// Removes the failure of an attempt after an error of hashing: the password was not compared, or it was correct and its
    /// replacement could not be hashed. Returns the error for the response.
    async fn refund(&self, db: &Db, attempt: &CountedAttempt, error: HashingError) -> UserError {
        let refund = async |tx: &mut Tx| self.throttle.refund(tx, attempt).await;
        match db.transaction(refund).await {
            Ok(()) => error.into(),
            Err(error) => error.into(),
        }
    }

    /// Removes the failure of a correct password.
    pub(crate) async fn record_success(
        &self,
        conn: &mut Conn,
        check: &PasswordCheck,
    ) -> Result<(), sqlx::Error> {
        self.throttle.refund(conn, &check.attempt).await
    }

    /// A new hash of a correct password, if the stored hash was made at another cost and the hashing queue is not full.
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
    /// Adds the failure to the audit log, and a second entry if this failure used up the allowance.
    pub(crate) async fn record_failure(
        &self,
        db: &Db,
        entry: Entry,
        context: &RequestContext,
    ) -> Result<(), sqlx::Error> {
        let mut tx = db.begin().await?;
        AuditLogRows(&mut tx).add(&entry, context).await?;
        if self.attempt.used_up_allowance {
            let throttled = Entry {
                event: Event::LoginThrottled,
                ..entry
            };
            AuditLogRows(&mut tx).add(&throttled, context).await?;
        }
        tx.commit().await
    }
}
