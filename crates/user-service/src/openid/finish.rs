//! Logging a user in with an account of a provider, and linking an account to a user, when the browser returns.

use db::Db;
use uuid::Uuid;

use super::error::ProviderError;
use super::flow::OpenId;
use super::pending_login::{PendingLogin, Purpose};
use super::person::IdentifiedPerson;
use super::provider::Provider;
use crate::context::RequestContext;
use crate::domain::{Entry, Event, Identity, LoginMethod};
use crate::error::UserError;
use crate::sessions::revocation::RevokingTx;
use crate::sessions::{Sessions, TokenPair};
use crate::store::{AuditLogRows, IdentityRows, SessionRows, UserRows};

/// A login that this browser began.
pub(crate) struct Login<'l> {
    pub openid: &'l OpenId,
    pub db: &'l Db,
    pub sessions: &'l Sessions,
    pub provider: &'l Provider,
    pub pending: &'l PendingLogin,
    pub context: &'l RequestContext,
}

/// The provider's answer to a login, as the browser brings it.
#[derive(Clone, Copy)]
pub(crate) struct ProviderAnswer<'a> {
    pub code: Option<&'a str>,
    pub issuer: Option<&'a str>,
    pub error: Option<&'a str>,
}

/// The outcome of a login.
pub(crate) enum Finished {
    LoggedIn(TokenPair),
    Linked(Identity),
}

impl Login<'_> {
    /// Exchanges the code of the answer, and logs the user in or links the account. Each login is finished once.
    pub(crate) async fn finish(&self, answer: ProviderAnswer<'_>) -> Result<Finished, UserError> {
        self.openid.use_up(self.db, self.pending).await?;
        let provider = self.provider;
        let (None, Some(code)) = (answer.error, answer.code) else {
            tracing::info!(provider = provider.name(), error = ?answer.error, "the provider logged no user in");
            return Err(UserError::ProviderRefused);
        };
        let account = provider.account(code, answer.issuer, self.pending).await;
        let account = account.inspect_err(|error| {
            if matches!(error, ProviderError::InvalidCode | ProviderError::OtherIssuer) {
                tracing::info!(provider = provider.name(), %error, "a login at a provider is refused");
            }
        })?;
        let person = IdentifiedPerson {
            db: self.db,
            sessions: self.sessions,
            provider: provider.name(),
            account: &account,
            context: self.context,
        };
        match self.pending.purpose {
            Purpose::LogIn { .. } => person.log_in().await.map(Finished::LoggedIn),
            Purpose::Link { user, session } => person.link(user, session).await.map(Finished::Linked),
        }
    }
}

impl IdentifiedPerson<'_> {
    /// Opens a session for the user to whom the account belongs. Creates the user at the first login.
    async fn log_in(&self) -> Result<TokenPair, UserError> {
        let open = async |tx: &mut RevokingTx<'_>| self.open_session(tx).await;
        let outcome = match self.sessions.transaction(self.db, open).await {
            // Perhaps a concurrent request has created the user, or linked the account.
            Err(UserError::EmailTaken) => self.sessions.transaction(self.db, open).await,
            outcome => outcome,
        };
        if let Err(error) = &outcome {
            self.record_refusal(Event::Login, error).await?;
        }
        outcome
    }

    /// Links the account to a user, as long as the session continues in which the user asked for it. An account that is linked to this
    /// user already stays linked.
    async fn link(&self, user: Uuid, session: Uuid) -> Result<Identity, UserError> {
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
        let outcome = self.sessions.transaction(self.db, link).await;
        if let Err(error) = &outcome {
            self.record_refusal(Event::IdentityLinked, error).await?;
        }
        outcome
    }

    async fn open_session(&self, tx: &mut RevokingTx<'_>) -> Result<TokenPair, UserError> {
        let user = self.find_or_create_user(tx).await?;
        if user.disabled {
            return Err(UserError::AccountDisabled);
        }
        let method = LoginMethod::Provider(self.provider);
        let pair = self.sessions.log_in(tx, &user, method, self.context).await?;
        let now = self.context.time();
        if !IdentityRows(tx).record_use(user.id, self.account, now).await? {
            // The account was unlinked meanwhile.
            return Err(UserError::ProviderLoginExpired);
        }
        Ok(pair)
    }

    /// Adds a refused login or link to the audit log. Its subject is the user to whom the account is linked, or who has its address.
    async fn record_refusal(&self, event: Event, error: &UserError) -> Result<(), sqlx::Error> {
        let why = match error {
            UserError::EmailTaken => "the address is not verified by both sides",
            UserError::AccountDisabled => "disabled",
            UserError::IdentityTaken => "linked to another user",
            UserError::EmailNotVerified => "the address of the user is not verified",
            _ => return Ok(()),
        };
        let mut tx = self.db.begin().await?;
        let linked = IdentityRows(&mut tx).find_user(self.account).await?;
        let subject = match (linked, &self.account.email) {
            (None, Some(email)) => UserRows(&mut tx).find_by_email(email).await?,
            (linked, _) => linked,
        };
        let subject = subject.map(|user| user.id);
        let detail = format!("{}: {why}", self.provider);
        let entry = Entry::failed_by_unknown_actor(event, subject, &detail);
        AuditLogRows(&mut tx).add(&entry, self.context).await?;
        tx.commit().await
    }
}
