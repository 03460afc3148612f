//! Reclaiming a user: handing it to the person who has proved to own its email address. Anyone could have registered an address that was
//! never verified, so nothing by which the previous holder could log in may remain.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::TokenPurpose;
use crate::sessions::revocation::RevokingTx;
use crate::store::{IdentityRows, LoginNetworkRows, MailTokenRows};

/// Ends all sessions of a user, and removes everything but the password by which the previous holder could log in: linked accounts of
/// providers, unused links in mails, and the networks from which logins are not reported. The caller replaces the password.
pub(crate) async fn remove_access(
    tx: &mut RevokingTx<'_>,
    user: Uuid,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    tx.end_all(user, now).await?;
    IdentityRows(tx).delete_all(user).await?;
    LoginNetworkRows(tx).delete_all(user).await?;
    for purpose in [TokenPurpose::ResetPassword, TokenPurpose::VerifyEmail] {
        MailTokenRows(tx).delete_of(user, purpose).await?;
    }
    Ok(())
}
