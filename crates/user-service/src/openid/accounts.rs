//! The user to whom an account of a provider belongs. Every function runs in the transaction of the login.

use service_kit::id;
use uuid::Uuid;

use super::finish::IdentifiedPerson;
use crate::domain::{Account, Entry, Event, Identity, Joining, MailKind};
use crate::error::UserError;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, IdentityRows, NewIdentity, NewUser, UserRows};
use crate::takeover;

impl IdentifiedPerson<'_> {
    /// The user to whom the account is linked, or else the user that it joins, or a new one. Fails with `EmailTaken` if it may not
    /// join the user with its address.
    pub(super) async fn find_or_create_user(&self, tx: &mut RevokingTx<'_>) -> Result<Account, UserError> {
        if let Some(user) = IdentityRows(tx).find_user(self.account).await? {
            return Ok(user);
        }
        let email = self.account.email.as_ref().ok_or(UserError::EmailMissing)?;
        let existing = match UserRows(tx).find_by_email(email).await? {
            // The address may have been verified, or the user deleted, since the user was read.
            Some(user) => UserRows(tx).lock(user.id).await?,
            None => None,
        };
        let joining = self.account.joining(existing.as_ref());
        let user = match (joining, existing) {
            (Joining::Join, Some(user)) => user,
            (Joining::Reclaim, Some(user)) => self.reclaim(tx, &user).await?,
            (Joining::NewUser, _) => self.create_user(tx).await?,
            _ => return Err(UserError::EmailTaken),
        };
        if self.add_identity(tx, user.id).await?.is_none() {
            // A concurrent login has linked it.
            return Err(UserError::EmailTaken);
        }
        if joining == Joining::Join {
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
        if !UserRows(tx).add(&new).await? {
            return Err(UserError::EmailTaken);
        }
        let entry = Entry::of(Event::Registered, new.id).detail(format!("with {}", self.provider));
        AuditLogRows(tx).add(&entry, self.context).await?;
        if !new.email_verified {
            let outbox = &self.sessions.outbox;
            outbox
                .add(tx, MailKind::VerifyEmail, new.id, self.context)
                .await?;
        }
        UserRows(tx).find(new.id).await?.ok_or(UserError::UserNotFound)
    }

    /// Hands a user to the owner of the email address, and removes everything by which the previous holder could log in.
    async fn reclaim(&self, tx: &mut RevokingTx<'_>, user: &Account) -> Result<Account, UserError> {
        let now = self.context.time();
        takeover::remove_access(tx, user.id, now).await?;
        let entry = Entry::of(Event::AccountReclaimed, user.id);
        AuditLogRows(tx).add(&entry, self.context).await?;
        let reclaimed = UserRows(tx).reclaim(user.id, &self.account.name, now).await?;
        reclaimed.ok_or(UserError::UserNotFound)
    }
}
