//! The first admin: made at start where there is none, since nobody could make one otherwise.

use chrono::{DateTime, Utc};
use db::Db;
use secrecy::ExposeSecret as _;
use service_kit::id;

use crate::config::FirstAdmin;
use crate::domain::password;
use crate::error::StartError;
use crate::hashing::Hashing;
use crate::store::{NewUser, Sessions, Users};

const ROLES: &str = "user admin";

/// Makes the first admin, unless there is one. If the address belongs to somebody already, they become admin, with the
/// configured password, and are logged out everywhere: whoever took that address before has no more use of it.
pub(crate) async fn ensure_one(
    db: &Db,
    hashing: &Hashing,
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
    let hash = hashing.hash(password::normalize(password.expose_secret())).await?;
    db.transaction(async |tx| {
        let id = id::new(now);
        let new = NewUser { id, email, name: "Admin", password_hash: &hash, roles: ROLES, now };
        if !Users(tx).add(&new).await? {
            Users(tx).take_over(email, &hash, ROLES, now).await?;
            Sessions(tx).end_all_of(&email.key(), now).await?;
        }
        Ok::<_, sqlx::Error>(())
    })
    .await?;
    tracing::info!("the first admin was made");
    Ok(())
}
