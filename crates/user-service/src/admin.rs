//! The role `admin`: only admins give and take it, the last admin can't lose it, and the first one is created while the service
//! starts.

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
use crate::sessions::Sessions;
use crate::sessions::revocation::RevokingTx;
use crate::store::{AdminGuard, AuditLog, NewUser, Users};

const ROLES: &str = "user admin";

/// Waits until no other transaction changes admins, then requires that the actor is still an admin: another admin may have taken
/// the role from them meanwhile.
pub(crate) async fn lock_admins(conn: &mut Conn, actor: Uuid) -> Result<(), UserError> {
    AdminGuard(conn).lock().await?;
    require_admin(conn, actor).await
}

/// Requires that the actor is still an admin according to the database. Their token may be older.
pub(crate) async fn require_admin(conn: &mut Conn, actor: Uuid) -> Result<(), UserError> {
    let account = Users(conn).find(actor).await?;
    account
        .filter(Account::is_admin)
        .map(drop)
        .ok_or(UserError::NotAdmin)
}

/// Requires, after an admin lost the role, that another admin remains. The transaction must hold the lock of [`lock_admins`].
pub(crate) async fn require_remaining_admin(conn: &mut Conn) -> Result<(), UserError> {
    if Users(conn).has_admin().await? {
        Ok(())
    } else {
        Err(UserError::LastAdmin)
    }
}

/// Adds a refused action of an admin to the audit log, and returns the error to answer with.
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
    let record = async |tx: &mut Tx| AuditLog(tx).add(&entry.clone().failing(why), context).await;
    match db.transaction(record).await {
        Ok(()) => error,
        Err(error) => error.into(),
    }
}

/// Creates the first admin, if there is none. If the email address is registered already, that user becomes admin, gets the
/// configured password and is logged out everywhere, since anyone could have registered the address.
pub(crate) async fn ensure_first_admin(
    db: &Db,
    passwords: &Passwords,
    sessions: &Sessions,
    admin: Option<&FirstAdmin>,
    clock: &Clock,
) -> Result<(), Box<dyn Error>> {
    if Users(&mut db.read().await?).has_admin().await? {
        return Ok(());
    }
    let Some(FirstAdmin { email, password }) = admin else {
        tracing::warn!("there is no admin: set ADMIN_EMAIL and ADMIN_PASSWORD to create one");
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
    AdminGuard(tx).lock().await?;
    // Another replica may have been faster.
    if Users(tx).has_admin().await? {
        return Ok(());
    }

    let now = context.time();
    let new = NewUser {
        id: id::new(now),
        email,
        name: "Admin",
        password_hash: hash,
        roles: ROLES,
        now,
    };
    let entry = |id| Entry {
        actor: None,
        ..Entry::of(Event::FirstAdmin, id)
    };
    if Users(tx).add(&new).await? {
        AuditLog(tx).add(&entry(new.id), context).await?;
    } else if let Some(Account { id, .. }) = Users(tx).find_by_email(email).await? {
        tx.end_all(id, now).await?;
        Users(tx).take_over(id, hash, ROLES, now).await?;
        let entry = entry(id).detail("an existing user".to_owned());
        AuditLog(tx).add(&entry, context).await?;
    } else {
        tracing::error!(
            "no admin was created: several accounts share ADMIN_EMAIL; use the spelling of one of them"
        );
        return Ok(());
    }
    tracing::info!("the first admin was created");
    Ok(())
}
