//! Sends one leased mail, and records the result.

use std::error::Error;

use auth::Clock;
use chrono::{DateTime, Utc};
use db::{Db, Tx};
use lettre::message::Mailbox;
use lettre::{Address, Message};
use uuid::Uuid;

use super::config::MailConfig;
use super::content::Content;
use super::message;
use super::transport::{SendError, Transport};
use crate::domain::{Account, Cause, EmailAddress, MAX_SENT, MailKind, MailToken, next_attempt_at};
use crate::random::NoRandomness;
use crate::store::{LeasedMail, MailTokenRows, OutboxRows, UserRows};

/// Sends mails.
#[derive(Debug)]
pub(super) struct Delivery {
    db: Db,
    clock: Clock,
    transport: Transport,
    from: Mailbox,
    public_url: String,
}

/// The state of the server after a delivery, for the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerState {
    /// The server took or refused the mail.
    Works,
    /// The server can't be used, for this reason.
    Fails(String),
    /// There was nothing to send.
    Unknown,
}

/// A mail that can be sent.
struct Prepared {
    user_id: Uuid,
    to: Address,
    token: Option<MailToken>,
}

/// The state of a mail after an attempt that did not send it.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// It is free at once.
    Free,
    /// It is due at this time.
    At(DateTime<Utc>),
    GivenUp,
}

/// Why a mail can't be prepared.
#[derive(Debug, thiserror::Error)]
enum PrepareError {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Random(#[from] NoRandomness),
}

impl Delivery {
    pub(super) fn new(config: &MailConfig, db: Db, clock: Clock) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            transport: Transport::new(config)?,
            from: config.from.clone(),
            public_url: config.public_url.clone(),
            db,
            clock,
        })
    }

    /// Sends a mail. If the database fails, the mail stays leased, and is sent when the lease has ended.
    pub(super) async fn deliver(&self, mail: LeasedMail) -> ServerState {
        match self.try_to_deliver(&mail).await {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(%error, mail.id = %mail.id, "a mail could not be handled; it is tried again");
                ServerState::Unknown
            }
        }
    }

    async fn try_to_deliver(&self, mail: &LeasedMail) -> Result<ServerState, Box<dyn Error>> {
        let prepare = async |tx: &mut Tx| self.prepare(tx, mail).await;
        let Some(prepared) = self.db.transaction(prepare).await? else {
            return Ok(ServerState::Unknown);
        };
        let sent = match self.message(mail, &prepared) {
            Ok(message) => self.transport.send(mail.id, &message).await,
            Err(error) => Err(SendError::Rejected(error.to_string())),
        };
        self.record(mail, &prepared, sent).await
    }

    /// Finds the recipient, and makes the token. Deletes a mail that is not to be sent, and returns `None`.
    async fn prepare(&self, tx: &mut Tx, mail: &LeasedMail) -> Result<Option<Prepared>, PrepareError> {
        let now = self.clock.now();
        let account = find_account(tx, mail).await?;
        let Some(account) = account.filter(|account| is_wanted(mail.kind, account)) else {
            OutboxRows(tx).delete(mail).await?;
            return Ok(None);
        };
        let Some(to) = message::recipient(&account.email) else {
            tracing::warn!(user.id = %account.id, "no mail can be sent to the user's address");
            OutboxRows(tx).delete(mail).await?;
            return Ok(None);
        };
        let Some(purpose) = mail.kind.purpose() else {
            return Ok(Some(Prepared {
                user_id: account.id,
                to,
                token: None,
            }));
        };

        // Locked, so that concurrent deliveries count one another's tokens.
        UserRows(tx).lock(account.id).await?;
        let since = now - purpose.window();
        let sent = OutboxRows(tx).sent_since(account.id, mail.kind, since).await?;
        let with_valid_links = MailTokenRows(tx).count(account.id, purpose, since).await?;
        if sent.max(with_valid_links) >= MAX_SENT {
            tracing::info!(
                user.id = %account.id, mail.kind = mail.kind.name(),
                "too many mails were requested"
            );
            OutboxRows(tx).delete(mail).await?;
            return Ok(None);
        }
        let token = MailToken::generate()?;
        MailTokenRows(tx).add(&token, account.id, purpose, now).await?;
        Ok(Some(Prepared {
            user_id: account.id,
            to,
            token: Some(token),
        }))
    }

    fn message(&self, mail: &LeasedMail, prepared: &Prepared) -> Result<Message, Box<dyn Error>> {
        let cause: Cause = serde_json::from_str(&mail.data)?;
        let token = prepared.token.as_ref().map(MailToken::encode);
        let content = Content::new(&self.public_url, mail.kind, token.as_deref(), &cause);
        let texts = content.render(mail.kind)?;
        Ok(message::build(
            mail.id,
            &self.from,
            prepared.to.clone(),
            &texts,
            self.clock.now(),
        )?)
    }

    async fn record(
        &self,
        mail: &LeasedMail,
        prepared: &Prepared,
        sent: Result<(), SendError>,
    ) -> Result<ServerState, Box<dyn Error>> {
        let now = self.clock.now();
        let (reason, undelivered, state) = match sent {
            Ok(()) => {
                count_sent(mail.kind);
                let set_sent = async |tx: &mut Tx| OutboxRows(tx).set_sent(mail, prepared.user_id, now).await;
                self.db.transaction(set_sent).await?;
                tracing::info!(
                    mail.id = %mail.id, mail.kind = mail.kind.name(), user.id = %prepared.user_id,
                    "a mail was sent"
                );
                return Ok(ServerState::Works);
            }
            Err(SendError::Unreachable(error)) => {
                count_failed("unreachable");
                self.end_lease(mail, prepared.token.as_ref(), Next::Free).await?;
                return Ok(ServerState::Fails(error));
            }
            Err(SendError::Interrupted(error)) => {
                count_failed("interrupted");
                // Perhaps the mail was delivered, so its link must work.
                (error.clone(), None, ServerState::Fails(error))
            }
            Err(SendError::Rejected(error)) => {
                count_failed("rejected");
                (error, prepared.token.as_ref(), ServerState::Works)
            }
        };
        let next = next_attempt_at(mail.created_at, mail.attempts + 1, now);
        self.end_lease(mail, undelivered, next.map_or(Next::GivenUp, Next::At))
            .await?;
        log_postponed(mail, prepared.user_id, next, &reason);
        Ok(state)
    }

    /// Ends the lease of a mail that was not sent. Deletes the token of a mail that was certainly not delivered: it would only displace
    /// the tokens of delivered mails.
    async fn end_lease(
        &self,
        mail: &LeasedMail,
        undelivered: Option<&MailToken>,
        next: Next,
    ) -> Result<(), sqlx::Error> {
        let end = async |tx: &mut Tx| {
            if let Some(token) = undelivered {
                MailTokenRows(tx).spend(token).await?;
            }
            end_lease(tx, mail, next).await
        };
        match self.db.transaction(end).await {
            // At this moment, a request has added a mail that replaces this one.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                self.db.transaction(end).await
            }
            outcome => outcome,
        }
    }
}

fn log_postponed(mail: &LeasedMail, user_id: Uuid, next: Option<DateTime<Utc>>, reason: &str) {
    let (kind, attempts) = (mail.kind.name(), mail.attempts + 1);
    if let Some(next) = next {
        tracing::warn!(
            mail.id = %mail.id, mail.kind = kind, user.id = %user_id, attempts, %next, reason,
            "a mail was not accepted; it is tried again"
        );
    } else {
        tracing::error!(
            mail.id = %mail.id, mail.kind = kind, user.id = %user_id, attempts, reason,
            "a mail was not accepted, and is given up"
        );
    }
}

async fn end_lease(tx: &mut Tx, mail: &LeasedMail, next: Next) -> Result<(), sqlx::Error> {
    if OutboxRows(tx).delete_if_replaced(mail).await? {
        return Ok(());
    }
    match next {
        Next::Free => OutboxRows(tx).release(mail).await,
        Next::At(time) => OutboxRows(tx).postpone(mail, time).await,
        Next::GivenUp => OutboxRows(tx).delete(mail).await,
    }
}

/// The user who gets the mail, if there still is one.
async fn find_account(tx: &mut Tx, mail: &LeasedMail) -> Result<Option<Account>, sqlx::Error> {
    if let Some(id) = mail.user_id {
        return UserRows(tx).find(id).await;
    }
    let address = mail.address.as_deref().unwrap_or_default();
    match EmailAddress::parse_existing(address) {
        Ok(address) => UserRows(tx).find_by_email(&address).await,
        Err(_) => Ok(None),
    }
}

/// Whether the mail still makes sense.
fn is_wanted(kind: MailKind, account: &Account) -> bool {
    match kind {
        MailKind::VerifyEmail => !account.email_verified && !account.disabled,
        MailKind::ResetPassword => !account.disabled,
        MailKind::PasswordChanged | MailKind::NewSignIn | MailKind::IdentityLinked => true,
    }
}

fn count_sent(kind: MailKind) {
    metrics::counter!("mails_sent_total", "kind" => kind.name()).increment(1);
}

/// Counts failed attempts.
fn count_failed(reason: &'static str) {
    metrics::counter!("mails_failed_total", "reason" => reason).increment(1);
}
