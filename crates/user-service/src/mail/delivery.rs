//! Sends one leased mail, and records the result.

use std::error::Error;
use std::time::Duration;

use auth::Clock;
use chrono::{DateTime, Utc};
use db::{Db, Tx};
use lettre::message::Mailbox;
use lettre::{Address, Message};
use service_kit::Shutdown;
use tokio::time::timeout;
use uuid::Uuid;

use super::after_failure::AfterFailure;
use super::config::MailConfig;
use super::content::Content;
use super::message;
use super::send_error::SendError;
use super::transport::Transport;
use crate::domain::{Account, Cause, EmailAddress, MAX_SENT, MailKind, MailToken, SHORT_DELAY};
use crate::random::NoRandomness;
use crate::store::{LeasedMail, MailTokenRows, OutboxRows, UserRows};

/// How often a worker renews the lease of a mail that it is sending. Several times while a lease lasts.
const LEASE_RENEWAL: Duration = Duration::from_secs(30);

/// Sends mails.
#[derive(Debug)]
pub(super) struct Delivery {
    db: Db,
    clock: Clock,
    transport: Transport,
    from: Mailbox,
    public_url: String,
    shutdown: Shutdown,
}

/// The state of the server after a delivery, for the worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ServerState {
    /// The server took or refused the mail.
    Works,
    /// The server can't be used, for this reason.
    Fails(String),
    /// The server was not asked.
    Unknown,
}

/// A mail that can be sent.
struct Prepared {
    user_id: Uuid,
    to: Address,
    token: Option<MailToken>,
    /// Whether the user has verified the address. Otherwise it perhaps belongs to another person.
    is_verified: bool,
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
    pub(super) fn new(
        config: &MailConfig,
        db: Db,
        clock: Clock,
        shutdown: Shutdown,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            transport: Transport::new(config)?,
            from: config.from.clone(),
            public_url: config.public_url.clone(),
            db,
            clock,
            shutdown,
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
            Ok(message) => {
                let stop = self.shutdown.requested();
                let sending = Box::pin(self.transport.send(mail.id, &message, stop));
                // A server may take minutes to accept a mail.
                repeat_during(sending, LEASE_RENEWAL, async || self.renew_lease(mail).await).await
            }
            // Perhaps the next version of this program can make the mail.
            Err(error) => Err(SendError::Rejected(error.to_string())),
        };
        self.record(mail, &prepared, sent).await
    }

    async fn renew_lease(&self, mail: &LeasedMail) {
        let now = self.clock.now();
        let renew = async |tx: &mut Tx| OutboxRows(tx).renew_lease(mail, now).await;
        if let Err(error) = self.db.transaction(renew).await {
            tracing::warn!(%error, mail.id = %mail.id, "the lease of a mail could not be renewed");
        }
    }

    /// Finds the recipient, and makes the token. Deletes a mail that is not to be sent, and returns `None`.
    async fn prepare(&self, tx: &mut Tx, mail: &LeasedMail) -> Result<Option<Prepared>, PrepareError> {
        let now = self.clock.now();
        let account = match find_account(tx, mail).await? {
            // Locked, so that concurrent deliveries count one another's tokens.
            Some(account) => UserRows(tx).lock(account.id).await?,
            None => None,
        };
        // Another transaction may have deleted the mail while it had the lock.
        if !OutboxRows(tx).is_leased(mail).await? {
            return Ok(None);
        }
        let Some(account) = account.filter(|account| is_wanted(mail.kind, account)) else {
            OutboxRows(tx).delete(mail).await?;
            return Ok(None);
        };
        let Some(to) = message::recipient(&account.email) else {
            tracing::warn!(user.id = %account.id, "no mail can be sent to the user's address");
            OutboxRows(tx).delete(mail).await?;
            return Ok(None);
        };
        if is_over_limit(tx, mail, account.id, now).await? {
            tracing::info!(
                user.id = %account.id, mail.kind = mail.kind.name(),
                "too many mails of this kind: this one is not sent"
            );
            OutboxRows(tx).delete(mail).await?;
            return Ok(None);
        }
        let token = match mail.kind.purpose() {
            Some(purpose) => {
                let token = MailToken::generate()?;
                MailTokenRows(tx)
                    .add(&token, account.id, purpose, mail.id, now)
                    .await?;
                Some(token)
            }
            None => None,
        };
        Ok(Some(Prepared {
            user_id: account.id,
            to,
            token,
            is_verified: account.email_verified,
        }))
    }

    fn message(&self, mail: &LeasedMail, prepared: &Prepared) -> Result<Message, Box<dyn Error>> {
        let mut cause: Cause = serde_json::from_str(&mail.data)?;
        if !prepared.is_verified {
            // A stranger may have registered the address, and chooses this text.
            cause.user_agent = None;
        }
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
        let Err(error) = sent else {
            count_sent(mail.kind);
            let set_sent = async |tx: &mut Tx| OutboxRows(tx).set_sent(mail, prepared.user_id, now).await;
            self.db.transaction(set_sent).await?;
            tracing::info!(
                mail.id = %mail.id, mail.kind = mail.kind.name(), user.id = %prepared.user_id,
                "a mail was sent"
            );
            return Ok(ServerState::Works);
        };

        if let Some(reason) = error.reason() {
            count_failed(reason);
        }
        let next = AfterFailure::of(mail, &error, now);
        self.end_lease(mail, prepared.token.as_ref(), &error, next)
            .await?;
        next.log(mail, prepared.user_id, &error);
        Ok(match error {
            SendError::Stopped => ServerState::Unknown,
            SendError::Rejected(_) | SendError::RejectedPermanently(_) => ServerState::Works,
            SendError::Unreachable(error)
            | SendError::Closed(error)
            | SendError::Interrupted(error)
            | SendError::Unanswered(error) => ServerState::Fails(error),
        })
    }

    /// Ends the lease of a mail that was not sent. Deletes the token of a mail that was certainly not delivered: it would only displace
    /// the tokens of delivered mails.
    async fn end_lease(
        &self,
        mail: &LeasedMail,
        token: Option<&MailToken>,
        error: &SendError,
        next: AfterFailure,
    ) -> Result<(), sqlx::Error> {
        let now = self.clock.now();
        let end = async |tx: &mut Tx| {
            if let Some(token) = token.filter(|_| !error.may_be_delivered()) {
                MailTokenRows(tx).spend(token).await?;
            }
            end_lease(tx, mail, next, now).await
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

/// Waits for `work`, and calls `action` again and again meanwhile.
async fn repeat_during<T>(
    mut work: impl Future<Output = T> + Unpin,
    interval: Duration,
    action: impl AsyncFn(),
) -> T {
    loop {
        match timeout(interval, &mut work).await {
            Ok(output) => return output,
            Err(_) => action().await,
        }
    }
}

async fn end_lease(
    tx: &mut Tx,
    mail: &LeasedMail,
    next: AfterFailure,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if let Some(replacement) = OutboxRows(tx).find_replacement(mail).await? {
        if !matches!(next, AfterFailure::Release) {
            // Repeated requests must not cause an attempt each time.
            OutboxRows(tx)
                .set_not_before(replacement, now + SHORT_DELAY)
                .await?;
        }
        return OutboxRows(tx).delete(mail).await;
    }
    match next {
        AfterFailure::Release => OutboxRows(tx).release(mail).await,
        AfterFailure::Retry { at, attempts } => OutboxRows(tx).postpone(mail, attempts, at).await,
        AfterFailure::GiveUp => OutboxRows(tx).delete(mail).await,
    }
}

/// Whether the user got too many mails of this kind already. Mails that were perhaps delivered count too: their links work.
async fn is_over_limit(
    tx: &mut Tx,
    mail: &LeasedMail,
    user_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let since = now - mail.kind.window();
    let sent = OutboxRows(tx).count_before(mail, user_id, since, now).await?;
    let with_links = match mail.kind.purpose() {
        Some(purpose) => {
            MailTokenRows(tx)
                .count_other_mails(mail.id, user_id, purpose, since, now)
                .await?
        }
        None => 0,
    };
    Ok(sent.max(with_links) >= MAX_SENT)
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::MAIL_LEASE;

    #[actix_web::test]
    async fn an_action_is_repeated_until_the_work_is_done() {
        let (done, work) = oneshot::channel();
        let (calls, done) = (Cell::new(0), Cell::new(Some(done)));
        let action = async || {
            calls.set(calls.get() + 1);
            if calls.get() == 3 {
                done.take().unwrap().send("sent").unwrap();
            }
        };
        let sent = repeat_during(work, Duration::from_millis(1), action).await;
        assert_eq!((sent, calls.get()), (Ok("sent"), 3));
        assert!(LEASE_RENEWAL * 3 < MAIL_LEASE.to_std().unwrap());
    }
}
