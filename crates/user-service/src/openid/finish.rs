//! Logging a user in with an account of a provider, and linking an account to a user.

use db::Db;
use uuid::Uuid;

use super::accounts;
use crate::context::RequestContext;
use crate::domain::{Account, Entry, Event, Identity, ProviderAccount};
use crate::error::UserError;
use crate::passwords::Throttle;
use crate::sessions::revocation::RevokingTx;
use crate::sessions::{Sessions, TokenPair};
use crate::store::{AuditLogRows, IdentityRows, SessionRows, UserRows};

/// Opens a session for the user of an account of the provider with this name. Creates the user at the first login.
pub(crate) async fn log_in(
    db: &Db,
    sessions: &Sessions,
    provider: &str,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<TokenPair, UserError> {
    let open = async |tx: &mut RevokingTx<'_>| open_session(tx, sessions, provider, account, context).await;
    match sessions.transaction(db, open).await {
        Err(UserError::EmailTaken) if is_linked(db, account).await? => {
            // A concurrent first login with the same account created the user.
            sessions.transaction(db, open).await
        }
        Err(error @ (UserError::EmailTaken | UserError::AccountDisabled)) => {
            record_failure(db, provider, account, &error, context).await?;
            Err(error)
        }
        outcome => outcome,
    }
}

/// Links an account of the provider with this name to a user, as long as the session continues in which the user asked for it.
/// An account that is linked to this user already stays linked.
pub(crate) async fn link(
    db: &Db,
    sessions: &Sessions,
    provider: &str,
    account: &ProviderAccount,
    (user, session): (Uuid, Uuid),
    context: &RequestContext,
) -> Result<Identity, UserError> {
    let link = async |tx: &mut RevokingTx<'_>| {
        UserRows(tx).lock(user).await?;
        let active = SessionRows(tx).active_user(session).await?;
        if active.is_none_or(|active| active.id != user) {
            return Err(UserError::ProviderLoginExpired);
        }
        if let Some(identity) = accounts::link(tx, user, provider, account, context).await? {
            return Ok(identity);
        }
        let linked = IdentityRows(tx).find_linked(user, account).await?;
        linked.ok_or(UserError::IdentityTaken)
    };
    sessions.transaction(db, link).await
}

async fn open_session(
    tx: &mut RevokingTx<'_>,
    sessions: &Sessions,
    provider: &str,
    account: &ProviderAccount,
    context: &RequestContext,
) -> Result<TokenPair, UserError> {
    let found = accounts::find_or_create_user(tx, provider, account, context).await?;
    let user = UserRows(tx)
        .lock(found.id)
        .await?
        .ok_or(UserError::ProviderLoginExpired)?;
    if user.disabled {
        return Err(UserError::AccountDisabled);
    }
    let pair = sessions.open(tx, &user, provider, context).await?;
    accounts::record_use(tx, user.id, account, context).await?;
    record_login(tx, provider, &user, context).await?;
    Ok(pair)
}

async fn record_login(
    tx: &mut RevokingTx<'_>,
    provider: &str,
    user: &Account,
    context: &RequestContext,
) -> Result<(), sqlx::Error> {
    Throttle::remember_network(tx, user, context).await?;
    let entry = Entry::of(Event::Login, user.id).detail(format!("with {provider}"));
    AuditLogRows(tx).add(&entry, context).await
}

async fn is_linked(db: &Db, account: &ProviderAccount) -> Result<bool, sqlx::Error> {
    let user = IdentityRows(&mut db.read().await?).find_user(account).await?;
    Ok(user.is_some())
}

/// Adds a refused login to the audit log. Its subject is the user who was not logged in.
async fn record_failure(
    db: &Db,
    provider: &str,
    account: &ProviderAccount,
    error: &UserError,
    context: &RequestContext,
) -> Result<(), sqlx::Error> {
    let why = match error {
        UserError::EmailTaken => format!("{provider}: the address is not verified by both sides"),
        _ => format!("{provider}: disabled"),
    };
    let mut tx = db.begin().await?;
    let linked = IdentityRows(&mut tx).find_user(account).await?;
    let subject = match (linked, &account.email) {
        (None, Some(email)) => UserRows(&mut tx).find_by_email(email).await?,
        (linked, _) => linked,
    };
    let subject = subject.map(|user| user.id);
    let entry = Entry::failed_by_unknown_actor(Event::Login, subject, &why);
    AuditLogRows(&mut tx).add(&entry, context).await?;
    tx.commit().await
}
