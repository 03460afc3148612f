//! Logging a user in with an account of a provider, and linking an account to a user.

use db::Db;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Account, Entry, Event, Identity, MailKind, ProviderAccount};
use crate::error::UserError;
use crate::passwords::Throttle;
use crate::sessions::revocation::RevokingTx;
use crate::sessions::{Sessions, TokenPair};
use crate::store::{AuditLogRows, IdentityRows, SessionRows, UserRows};

/// A person who was identified by a provider.
pub(crate) struct IdentifiedPerson<'p> {
    pub db: &'p Db,
    pub sessions: &'p Sessions,
    /// The name of the provider.
    pub provider: &'p str,
    pub account: &'p ProviderAccount,
    pub context: &'p RequestContext,
}

impl IdentifiedPerson<'_> {
    /// Opens a session for the user to whom the account belongs. Creates the user at the first login.
    pub(crate) async fn log_in(&self) -> Result<TokenPair, UserError> {
        let open = async |tx: &mut RevokingTx<'_>| self.open_session(tx).await;
        match self.sessions.transaction(self.db, open).await {
            Err(UserError::EmailTaken) if self.is_linked().await? => {
                // A concurrent first login with the same account created the user.
                self.sessions.transaction(self.db, open).await
            }
            Err(error @ (UserError::EmailTaken | UserError::AccountDisabled)) => {
                self.record_failure(&error).await?;
                Err(error)
            }
            outcome => outcome,
        }
    }

    /// Links the account to a user, as long as the session continues in which the user asked for it. An account that is linked to this
    /// user already stays linked.
    pub(crate) async fn link(&self, user: Uuid, session: Uuid) -> Result<Identity, UserError> {
        let link = async |tx: &mut RevokingTx<'_>| {
            UserRows(tx).lock(user).await?;
            let active = SessionRows(tx).active_user(session).await?;
            let active = active.filter(|active| active.id == user);
            let active = active.ok_or(UserError::ProviderLoginExpired)?;
            if !active.email_verified {
                return Err(UserError::EmailNotVerified);
            }
            if let Some(identity) = self.add_identity(tx, user).await? {
                self.report_link(tx, user).await?;
                return Ok(identity);
            }
            let linked = IdentityRows(tx).find_linked(user, self.account).await?;
            linked.ok_or(UserError::IdentityTaken)
        };
        self.sessions.transaction(self.db, link).await
    }

    async fn open_session(&self, tx: &mut RevokingTx<'_>) -> Result<TokenPair, UserError> {
        let found = self.find_or_create_user(tx).await?;
        let user = UserRows(tx)
            .lock(found.id)
            .await?
            .ok_or(UserError::ProviderLoginExpired)?;
        if user.disabled {
            return Err(UserError::AccountDisabled);
        }
        let pair = self.sessions.open(tx, &user, self.provider, self.context).await?;
        let now = self.context.time();
        if !IdentityRows(tx).record_use(user.id, self.account, now).await? {
            // The account was unlinked meanwhile.
            return Err(UserError::ProviderLoginExpired);
        }
        self.record_login(tx, &user).await?;
        Ok(pair)
    }

    async fn record_login(&self, tx: &mut RevokingTx<'_>, user: &Account) -> Result<(), sqlx::Error> {
        let is_new_network = Throttle::remember_network(tx, user, self.context).await?;
        if is_new_network {
            let outbox = &self.sessions.outbox;
            outbox.add(tx, MailKind::NewSignIn, user.id, self.context).await?;
        }
        let entry = Entry::of(Event::Login, user.id).detail(format!("with {}", self.provider));
        AuditLogRows(tx).add(&entry, self.context).await
    }

    /// Reports a new link to the user by mail: with a stolen token, an attacker could have linked another account.
    pub(super) async fn report_link(&self, tx: &mut RevokingTx<'_>, user: Uuid) -> Result<(), sqlx::Error> {
        let outbox = &self.sessions.outbox;
        outbox.add(tx, MailKind::IdentityLinked, user, self.context).await
    }

    async fn is_linked(&self) -> Result<bool, sqlx::Error> {
        let user = IdentityRows(&mut self.db.read().await?)
            .find_user(self.account)
            .await?;
        Ok(user.is_some())
    }

    /// Adds a refused login to the audit log. Its subject is the user who was not logged in.
    async fn record_failure(&self, error: &UserError) -> Result<(), sqlx::Error> {
        let why = match error {
            UserError::EmailTaken => "the address is not verified by both sides",
            _ => "disabled",
        };
        let mut tx = self.db.begin().await?;
        let linked = IdentityRows(&mut tx).find_user(self.account).await?;
        let subject = match (linked, &self.account.email) {
            (None, Some(email)) => UserRows(&mut tx).find_by_email(email).await?,
            (linked, _) => linked,
        };
        let subject = subject.map(|user| user.id);
        let detail = format!("{}: {why}", self.provider);
        let entry = Entry::failed_by_unknown_actor(Event::Login, subject, &detail);
        AuditLogRows(&mut tx).add(&entry, self.context).await?;
        tx.commit().await
    }
}
