//! Who is an admin: the first one, made at start where there is none, since nobody could make one otherwise; and the last one, who
//! can't be lost.

use auth::{Admin, Role as _};
use chrono::{DateTime, Utc};
use db::{Conn, Db, Tx};
use secrecy::ExposeSecret as _;
use service_kit::id;
use uuid::Uuid;

use crate::call::Call;
use crate::config::FirstAdmin;
use crate::domain::{Account, Entry, Event};
use crate::error::{StartError, UserError};
use crate::login::Logins;
use crate::passwords::Passwords;
use crate::store::{AdminGuard, AuditLog, NewUser, Users};

const ROLES: &str = "user admin";

/// Waits for the turn of an admin who is about to change who is one, and makes sure that they still are: another may have deposed
/// them while they waited.
pub(crate) async fn take_turn(conn: &mut Conn, admin: Uuid) -> Result<(), UserError> {
    AdminGuard(conn).take_turn().await?;
    let acting = Users(conn).find(admin).await?;
    let is_admin = |account: &Account| !account.disabled && account.has_role(Admin::NAME);
    acting.filter(is_admin).map(drop).ok_or(UserError::NotAdmin)
}

/// Makes sure, at the end of such a turn, that somebody remains an admin.
pub(crate) async fn end_turn(conn: &mut Conn) -> Result<(), UserError> {
    if Users(conn).has_admin().await? { Ok(()) } else { Err(UserError::LastAdmin) }
}

/// Makes the first admin, unless there is one. If the address belongs to somebody already, they become admin, with the
/// configured password, and are logged out everywhere: whoever took that address before has no more use of it.
pub(crate) async fn ensure_one(
    db: &Db,
    passwords: &Passwords,
    logins: &Logins,
    admin: Option<&FirstAdmin>,
    now: DateTime<Utc>,
) -> Result<(), StartError> {
    if Users(&mut db.read().await?).has_admin().await? {
        return Ok(());
    }
    let Some(FirstAdmin { email, password }) = admin else {
        tracing::warn!("nobody is an admin: ADMIN_EMAIL and ADMIN_PASSWORD make one");
        return Ok(());
    };
    let hash = passwords.hash(password.expose_secret()).await?;
    let make = async |tx: &mut Tx| {
        let id = id::new(now);
        let new = NewUser { id, email, name: "Admin", password_hash: &hash, roles: ROLES, now };
        let is_new = Users(tx).add(&new).await?;
        let there = if is_new { None } else { Users(tx).find_by_email(email).await? };
        let id = there.map_or(id, |account| account.id);
        if !is_new {
            // At a start nobody is served yet: what is taken back is read from the database next.
            let _ = logins.end_all(tx, id, now).await?;
            Users(tx).take_over(id, &hash, ROLES, now).await?;
        }
        AuditLog(tx).add(&Entry { actor: None, ..Entry::of(Event::FirstAdmin, id) }, &Call::own(now)).await
    };
    db.transaction(make).await?;
    tracing::info!("the first admin was made");
    Ok(())
}
