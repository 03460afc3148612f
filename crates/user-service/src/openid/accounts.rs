//! Which user an account of a provider belongs to. Every function runs in the transaction of the login.

use service_kit::id;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Account, Entry, Event, Identity, Joining, ProviderAccount};
use crate::error::UserError;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AuditLogRows, IdentityRows, LoginNetworkRows, NewIdentity, NewUser, UserRows};

/// The user of an account of the provider with this name: the user it is linked to, or else the one that it joins, or a new one.
/// Fails with `EmailTaken` if it may not join the user with its address.
pub(crate) async fn find_or_create_user(
    tx: &mut RevokingTx<'_>,
    provider: &str,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<Account, UserError> {
    if let Some(user) = IdentityRows(tx).find_user(account).await? {
        return Ok(user);
    }
    let email = account.email.as_ref().ok_or(UserError::EmailMissing)?;
    let existing = match UserRows(tx).find_by_email(email).await? {
        // The address may have been verified, or the user deleted, since the user was read.
        Some(user) => UserRows(tx).lock(user.id).await?,
        None => None,
    };
    let joining = account.joining(existing.as_ref());
    let user = match (joining, existing) {
        (Joining::Join, Some(user)) => user,
        (Joining::Reclaim, Some(user)) => reclaim(tx, &user, account, context).await?,
        (Joining::NewUser, _) => create(tx, provider, account, context).await?,
        _ => return Err(UserError::EmailTaken),
    };

    if link(tx, user.id, provider, account, context).await?.is_none() {
        // A concurrent login has linked it.
        return Err(UserError::EmailTaken);
    }
    Ok(user)
}

/// Notes that the user logs in with this account. Fails if the account was unlinked meanwhile. The transaction must have locked the
/// user.
pub(crate) async fn record_use(
    tx: &mut RevokingTx<'_>,
    user: Uuid,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<(), UserError> {
    if IdentityRows(tx).record_use(user, account, context.time()).await? {
        Ok(())
    } else {
        Err(UserError::ProviderLoginExpired)
    }
}

/// Links an account of a provider to a user. Returns `None` if it is linked already, to this user or to another one.
pub(crate) async fn link(
    tx: &mut RevokingTx<'_>,
    user_id: Uuid,
    provider: &str,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<Option<Identity>, sqlx::Error> {
    let now = context.time();
    let new = NewIdentity {
        id: id::new(now),
        user_id,
        provider,
        account,
        now,
    };
    if !IdentityRows(tx).add(&new).await? {
        return Ok(None);
    }
    let entry = Entry::of(Event::IdentityLinked, user_id).detail(provider.to_owned());
    AuditLogRows(tx).add(&entry, context).await?;
    IdentityRows(tx).find_linked(user_id, account).await
}

/// Adds a user without a password.
async fn create(
    tx: &mut RevokingTx<'_>,
    provider: &str,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<Account, UserError> {
    let new = NewUser {
        id: id::new(context.time()),
        email: account.email.as_ref().ok_or(UserError::EmailMissing)?,
        email_verified: account.is_email_verified,
        name: &account.name,
        password_hash: None,
        roles: "user",
        now: context.time(),
    };
    if !UserRows(tx).add(&new).await? {
        return Err(UserError::EmailTaken);
    }
    let entry = Entry::of(Event::Registered, new.id).detail(format!("with {provider}"));
    AuditLogRows(tx).add(&entry, context).await?;
    UserRows(tx).find(new.id).await?.ok_or(UserError::UserNotFound)
}

/// Hands a user to the owner of the email address, and removes everything by which the previous holder could log in.
async fn reclaim(
    tx: &mut RevokingTx<'_>,
    user: &Account,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<Account, UserError> {
    let now = context.time();
    tx.end_all(user.id, now).await?;
    IdentityRows(tx).remove_all(user.id).await?;
    LoginNetworkRows(tx).delete_all(user.id).await?;
    let entry = Entry::of(Event::AccountReclaimed, user.id);
    AuditLogRows(tx).add(&entry, context).await?;
    let reclaimed = UserRows(tx).reclaim(user.id, &account.name, now).await?;
    reclaimed.ok_or(UserError::UserNotFound)
}
