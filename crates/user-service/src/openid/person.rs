//! The user to whom an account of a provider belongs. Every function runs in the transaction of the login.

use db::Db;
use service_kit::id;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{
    Account, AccountLinking, Entry, Event, Identity, LoginMethod, MailKind, ProviderAccount,
};
use crate::error::UserError;
use crate::reclaim;
use crate::registration::add_user;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, IdentityRows, NewIdentity, NewUser, UserRows};

/// A person who was identified by a provider.
pub(super) struct IdentifiedPerson<'p> {
    pub db: &'p Db,
    pub sessions: &'p Sessions,
    /// The name of the provider.
    pub provider: &'p str,
    pub account: &'p ProviderAccount,
    pub context: &'p RequestContext,
}

impl IdentifiedPerson<'_> {
    /// The user to whom the account is linked, or else the user to whom it is linked now, or a new one. The user is locked. Fails with
    /// `EmailTaken` if the account may not be linked to the user with its address.
    pub(super) async fn find_or_create_user(&self, tx: &mut RevokingTx<'_>) -> Result<Account, UserError> {
        if let Some(user) = IdentityRows(tx).find_user(self.account).await? {
            let user = UserRows(tx).lock(user.id).await?;
            let user = user.ok_or(UserError::ProviderLoginExpired)?;
            return self.verify_address(tx, user).await;
        }
        let email = self.account.email.as_ref().ok_or(UserError::EmailMissing)?;
        let existing = match UserRows(tx).find_by_email(email).await? {
            // The address may have been verified, or the user deleted, since the user was read.
            Some(user) => UserRows(tx).lock(user.id).await?,
            None => None,
        };
        let linking = self.account.linking(existing.as_ref());
        let user = match (linking, existing) {
            (AccountLinking::Link, Some(user)) => user,
            (AccountLinking::Reclaim, Some(user)) => self.reclaim(tx, &user).await?,
            (AccountLinking::CreateUser, _) => self.create_user(tx).await?,
            _ => return Err(UserError::EmailTaken),
        };
        if self.add_identity(tx, user.id).await?.is_none() {
            // A concurrent login has linked it.
            return Err(UserError::EmailTaken);
        }
        if linking == AccountLinking::Link {
            self.report_link(tx, user.id).await?;
        }
        Ok(user)
    }

    /// Links the account to a user. Returns `None` if it is linked already, to this user or to another one.
    pub(super) async fn add_identity(
        &self,
        tx: &mut RevokingTx<'_>,
        user_id: Uuid,
    ) -> Result<Option<Identity>, sqlx::Error> {
        let now = self.context.time();
        let new = NewIdentity {
            id: id::new(now),
            user_id,
            provider: self.provider,
            account: self.account,
            now,
        };
        if !IdentityRows(tx).add(&new).await? {
            return Ok(None);
        }
        let entry = Entry::of(Event::IdentityLinked, user_id).detail(self.provider.to_owned());
        AuditLogRows(tx).add(&entry, self.context).await?;
        IdentityRows(tx).find_linked(user_id, self.account).await
    }

    /// Reports a new link to the user by mail: with a stolen token, an attacker could have linked another account.
    pub(super) async fn report_link(&self, tx: &mut RevokingTx<'_>, user: Uuid) -> Result<(), sqlx::Error> {
        let outbox = &self.sessions.outbox;
        outbox.add(tx, MailKind::IdentityLinked, user, self.context).await
    }

    /// Marks the address of a linked user as verified, if the provider has verified it since the user was created. Such a user has no
    /// other way to log in: a password and further accounts need a verified address.
    async fn verify_address(&self, tx: &mut RevokingTx<'_>, user: Account) -> Result<Account, UserError> {
        if user.email_verified || user.password_hash.is_some() || !self.account.has_verified(&user.email) {
            return Ok(user);
        }
        UserRows(tx)
            .set_email_verified(user.id, self.context.time())
            .await?;
        let entry =
            Entry::of(Event::EmailVerified, user.id).with_method(LoginMethod::Provider(self.provider));
        AuditLogRows(tx).add(&entry, self.context).await?;
        Ok(Account {
            email_verified: true,
            ..user
        })
    }

    /// Adds a user without a password.
    async fn create_user(&self, tx: &mut RevokingTx<'_>) -> Result<Account, UserError> {
        let new = NewUser {
            id: id::new(self.context.time()),
            email: self.account.email.as_ref().ok_or(UserError::EmailMissing)?,
            name: &self.account.name,
            password_hash: None,
            roles: "user",
            email_verified: self.account.is_email_verified,
            now: self.context.time(),
        };
        let method = LoginMethod::Provider(self.provider);
        add_user(tx, &self.sessions.outbox, &new, method, self.context).await
    }

    /// Hands a user to the owner of the email address, and removes everything by which the previous holder could log in.
    async fn reclaim(&self, tx: &mut RevokingTx<'_>, user: &Account) -> Result<Account, UserError> {
        let now = self.context.time();
        reclaim::remove_access(tx, user.id, now).await?;
        let entry = Entry::of(Event::AccountReclaimed, user.id);
        AuditLogRows(tx).add(&entry, self.context).await?;
        let reclaimed = UserRows(tx).reclaim(user.id, &self.account.name, now).await?;
        reclaimed.ok_or(UserError::UserNotFound)
    }
}
