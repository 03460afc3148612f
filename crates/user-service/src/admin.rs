//! The role `admin`: only admins grant and remove the role, the last admin can't lose the role, and the first admin is created
//! while the service starts.

use std::error::Error;

use auth::Clock;
use db::{Conn, Db, Tx};
use secrecy::ExposeSecret as _;
use service_kit::id;
use uuid::Uuid;

use crate::config::FirstAdmin;
use crate::context::RequestContext;
use crate::domain::{Account, EmailAddress, Entry, Event};
use crate::error::UserError;
use crate::passwords::Passwords;
use crate::reclaim;
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AdminLock, AuditLogRows, NewUser, UserRows};

const ROLES: &str = "user admin";

/// Waits until no other transaction changes admins, then requires that the actor is still an admin: another admin may have removed
/// the actor's role meanwhile.
pub(crate) async fn lock_admins(conn: &mut Conn, actor: Uuid) -> Result<(), UserError> {
    AdminLock(conn).acquire().await?;
    require_admin(conn, actor).await
}

/// Requires that the actor is still an admin according to the database: the actor's token may be older.
pub(crate) async fn require_admin(conn: &mut Conn, actor: Uuid) -> Result<(), UserError> {
    let account = UserRows(conn).find(actor).await?;
    account
        .filter(Account::is_active_admin)
        .map(drop)
        .ok_or(UserError::NotAdmin)
}

/// Requires, after an admin lost the role, that another admin remains. The transaction must hold the lock of [`lock_admins`].
pub(crate) async fn require_remaining_admin(conn: &mut Conn) -> Result<(), UserError> {
    if UserRows(conn).has_active_admin().await? {
        Ok(())
    } else {
        Err(UserError::LastAdmin)
    }
}

/// Adds a refused action of an admin to the audit log, and returns the error for the response.
pub(crate) async fn record_refusal(
    db: &Db,
    error: UserError,
    entry: Entry,
    context: &RequestContext,
) -> UserError {
    let why = match &error {
        UserError::LastAdmin => "the last admin",
        UserError::NotAdmin => "no longer an admin",
        _ => return error,
    };
    let record = async |tx: &mut Tx| {
        AuditLogRows(tx)
            .add(&entry.clone().with_failure(why), context)
            .await
    };
    match db.transaction(record).await {
        Ok(()) => error,
        Err(error) => error.into(),
    }
}

/// Creates the first admin, unless an enabled user is admin. If the email address is registered already, that user becomes admin,
/// gets the configured password and is logged out everywhere, since anyone could have registered the address. Linked accounts of
/// providers are unlinked for the same reason.
pub(crate) async fn ensure_first_admin(
    db: &Db,
    passwords: &Passwords,
    sessions: &Sessions,
    admin: Option<&FirstAdmin>,
    clock: &Clock,
) -> Result<(), Box<dyn Error>> {
    if UserRows(&mut db.read().await?).has_active_admin().await? {
        return Ok(());
    }
    let Some(FirstAdmin { email, password }) = admin else {
        tracing::warn!("no enabled user is admin: set ADMIN_EMAIL and ADMIN_PASSWORD to create an admin");
        return Ok(());
    };

    let hash = passwords.hash(password.expose_secret()).await?;
    let context = RequestContext::internal(clock.clone());
    sessions
        .transaction(db, async |tx: &mut RevokingTx<'_>| {
            create_first_admin(tx, email, &hash, &context).await
        })
        .await?;
    Ok(())
}

async fn create_first_admin(
    tx: &mut RevokingTx<'_>,
    email: &EmailAddress,
    hash: &str,
    context: &RequestContext,
) -> Result<(), sqlx::Error> {
    AdminLock(tx).acquire().await?;
    // Another replica may have been faster.
    if UserRows(tx).has_active_admin().await? {
        return Ok(());
    }

    let now = context.time();
    let new = NewUser {
        id: id::new(now),
        email,
        name: "Admin",
        password_hash: Some(hash),
        roles: ROLES,
        // The operator vouches for the address.
        email_verified: true,
        now,
    };
    let entry = |id| Entry {
        actor: None,
        ..Entry::of(Event::FirstAdmin, id)
    };
    if UserRows(tx).add(&new).await? {
        AuditLogRows(tx).add(&entry(new.id), context).await?;
    } else if let Some(Account { id, .. }) = UserRows(tx).find_by_email(email).await? {
        reclaim::remove_access(tx, id, now).await?;
        UserRows(tx).make_admin(id, hash, ROLES, now).await?;
        let entry = entry(id).detail("an existing user".to_owned());
        AuditLogRows(tx).add(&entry, context).await?;
    } else {
        tracing::error!(
            "no admin was created: either several old accounts have ADMIN_EMAIL in different spellings, or the comparison key \
             of ADMIN_EMAIL is the email_key of an account with another address; set it to the exact spelling of one account, \
             which then becomes admin, or to a new address"
        );
        return Ok(());
    }
    Ok(())
}
