//! Passwords that people show: counted, then compared.

use db::{Conn, Db, Tx};

use crate::call::Call;
use crate::domain::{Account, EmailAddress, Entry, Event, password};
use crate::error::UserError;
use crate::hashing::{Hashing, HashingError};
use crate::store::AuditLog;
use crate::throttle::{Counted, Throttle};

/// Hashes and compares passwords. Clones share the slots.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    pub hashing: Hashing,
    pub throttle: Throttle,
}

/// A password that somebody showed, and that was compared.
#[derive(Debug)]
pub(crate) struct Guess {
    pub is_right: bool,
    counted: Counted,
}

impl Passwords {
    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, HashingError> {
        self.hashing.hash(password::normalize(password)).await
    }

    /// Refuses a password that there would be no slot for. Asked before the database is, so that a flood costs next to nothing.
    pub(crate) fn expect_room(&self) -> Result<(), HashingError> {
        if self.hashing.has_room() {
            Ok(())
        } else {
            Err(HashingError::Busy)
        }
    }

    /// Whether this is the password of whoever has this address. It is counted as a failure at first; see
    /// [`accept`](Self::accept).
    pub(crate) async fn guess(
        &self,
        db: &Db,
        email: Option<&EmailAddress>,
        account: Option<&Account>,
        password: &str,
        call: &Call,
    ) -> Result<Guess, UserError> {
        let attempt = self.throttle.admit(db, email, account, call).await?;
        let place = self.hashing.take_place()?;
        let counted = self.throttle.count(db, attempt, call).await?;
        let hash = account.and_then(|account| account.password_hash.as_deref());
        match self
            .hashing
            .matches(place, password::normalize(password), hash)
            .await
        {
            Ok(is_right) => Ok(Guess { is_right, counted }),
            Err(error) => Err(self
                .give_up(
                    db,
                    &Guess {
                        is_right: false,
                        counted,
                    },
                    error,
                )
                .await),
        }
    }

    /// A guess that nothing came of, since there was no slot for it: it does not count.
    pub(crate) async fn give_up(&self, db: &Db, guess: &Guess, error: HashingError) -> UserError {
        let forgive = async |tx: &mut Tx| self.throttle.forgive(tx, &guess.counted).await;
        match db.transaction(forgive).await {
            Ok(()) => error.into(),
            Err(error) => error.into(),
        }
    }

    /// Takes a right password for a success: it does not count, and its network is known from now on. The person has to be
    /// confirmed before: they may have been deleted while it was compared.
    pub(crate) async fn accept(
        &self,
        conn: &mut Conn,
        guess: &Guess,
        account: &Account,
        call: &Call,
    ) -> Result<(), sqlx::Error> {
        self.throttle.forgive(conn, &guess.counted).await?;
        Throttle::remember(conn, account, call).await
    }

    /// The hash to keep instead of one that was made at another cost, if there is time to make one now.
    pub(crate) async fn renew(&self, account: &Account, password: &str) -> Option<String> {
        let is_outdated = account
            .password_hash
            .as_deref()
            .is_some_and(|hash| self.hashing.is_outdated(hash));
        if !is_outdated {
            return None;
        }
        self.hash(password)
            .await
            .inspect_err(|error| tracing::warn!(%error, "a hash was not renewed"))
            .ok()
    }
}

impl Guess {
    /// Writes down that it failed, and whether it was the last one that is free for a while.
    pub(crate) async fn record_failure(&self, db: &Db, entry: Entry, call: &Call) -> Result<(), sqlx::Error> {
        let mut tx = db.begin().await?;
        AuditLog(&mut tx).add(&entry, call).await?;
        if self.counted.is_last {
            let throttled = Entry {
                event: Event::LoginThrottled,
                ..entry
            };
            AuditLog(&mut tx).add(&throttled, call).await?;
        }
        tx.commit().await
    }
}
