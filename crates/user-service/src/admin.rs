//! Who is an admin: the first one, made at start where there is none, since nobody could make one otherwise; and the last one, who
//! can't be lost.

use auth::Clock;
use db::{Conn, Db, Tx};
use secrecy::ExposeSecret as _;
use service_kit::id;
use uuid::Uuid;

use crate::call::Call;
use crate::config::FirstAdmin;
use crate::domain::{Account, EmailAddress, Entry, Event};
use crate::error::{StartError, UserError};
use crate::login::Logins;
use crate::passwords::Passwords;
use crate::store::{AdminGuard, AuditLog, NewUser, Users};

const ROLES: &str = "user admin";

/// Waits for the turn of an admin who is about to change who is one, and makes sure that they still are: another may have deposed
/// them while they waited.
pub(crate) async fn take_turn(conn: &mut Conn, acting: Uuid) -> Result<(), UserError> {
    AdminGuard(conn).take_turn().await?;
    check(conn, acting).await
}

/// Makes sure that whoever acts as an admin is one still.
pub(crate) async fn check(conn: &mut Conn, acting: Uuid) -> Result<(), UserError> {
    let account = Users(conn).find(acting).await?;
    account
        .filter(Account::is_admin)
        .map(drop)
        .ok_or(UserError::NotAdmin)
}

/// Makes sure, at the end of a turn in which an admin ceased to be one, that somebody else is.
pub(crate) async fn end_turn(conn: &mut Conn) -> Result<(), UserError> {
    if Users(conn).has_admin().await? {
        Ok(())
    } else {
        Err(UserError::LastAdmin)
    }
}

/// Writes down what an admin, or who was one until now, tried to do in vain.
pub(crate) async fn record_refusal(db: &Db, error: UserError, entry: Entry, call: &Call) -> UserError {
    let why = match &error {
        UserError::LastAdmin => "the last admin",
        UserError::NotAdmin => "no admin any more",
        _ => return error,
    };
    let record = async |tx: &mut Tx| AuditLog(tx).add(&entry.clone().failing(why), call).await;
    match db.transaction(record).await {
        Ok(()) => error,
        Err(error) => error.into(),
    }
}

/// Makes the first admin, unless there is one. If the address belongs to somebody already, they become admin, with the
/// configured password, and are logged out everywhere: whoever took that address before has no more use of it.
pub(crate) async fn ensure_one(
    db: &Db,
    passwords: &Passwords,
    logins: &Logins,
    admin: Option<&FirstAdmin>,
    clock: &Clock,
) -> Result<(), StartError> {
    if Users(&mut db.read().await?).has_admin().await? {
        return Ok(());
    }
    let Some(FirstAdmin { email, password }) = admin else {
        tracing::warn!("nobody is an admin: ADMIN_EMAIL and ADMIN_PASSWORD make one");
        return Ok(());
    };
    let hash = passwords.hash(password.expose_secret()).await?;
    let call = Call::own(clock.clone());
    db.transaction(async |tx: &mut Tx| make(tx, logins, email, &hash, &call).await)
        .await?;
    Ok(())
}

async fn make(
    tx: &mut Tx,
    logins: &Logins,
    email: &EmailAddress,
    hash: &str,
    call: &Call,
) -> Result<(), sqlx::Error> {
    AdminGuard(tx).take_turn().await?;
    if Users(tx).has_admin().await? {
        return Ok(()); // Another replica was quicker.
    }
    let now = call.at();
    let id = id::new(now);
    let new = NewUser {
        id,
        email,
        name: "Admin",
        password_hash: hash,
        roles: ROLES,
        now,
    };
    let there = if Users(tx).add(&new).await? {
        None
    } else {
        let there = Users(tx).find_by_email(email).await?;
        if there.is_none() {
            tracing::error!(
                "no admin was created: several accounts share ADMIN_EMAIL; use the spelling of one of them"
            );
            return Ok(());
        }
        there
    };
    let entry = |id| Entry {
        actor: None,
        ..Entry::of(Event::FirstAdmin, id)
    };
    match there {
        None => AuditLog(tx).add(&entry(id), call).await?,
        Some(Account { id, .. }) => {
            let taking_back = logins.end_all(tx, id, now).await?.unwrap_or_default();
            Users(tx).take_over(id, hash, ROLES, now).await?;
            AuditLog(tx)
                .add(&entry(id).detail("somebody who was there".to_owned()), call)
                .await?;
            // What is taken back is read from the database, as every start does.
            let _ = taking_back.write_down(tx).await?;
        }
    }
    tracing::info!("the first admin was made");
    Ok(())
}
