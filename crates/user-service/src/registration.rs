//! Adding a user, who registers with a password or comes from a provider.

use db::Conn;

use crate::context::RequestContext;
use crate::domain::{Account, Entry, Event, LoginMethod, MailKind};
use crate::error::UserError;
use crate::mail::Outbox;
use crate::store::{AuditLogRows, NewUser, UserRows};

/// Adds a user who will log in by this method, and sends the mail that verifies the address, unless it is verified already. Fails with
/// `EmailTaken` if another user has the address.
pub(crate) async fn add_user(
    tx: &mut Conn,
    outbox: &Outbox,
    new: &NewUser<'_>,
    method: LoginMethod<'_>,
    context: &RequestContext,
) -> Result<Account, UserError> {
    if !UserRows(tx).add(new).await? {
        return Err(UserError::EmailTaken);
    }
    let entry = Entry::of(Event::Registered, new.id).with_method(method);
    AuditLogRows(tx).add(&entry, context).await?;
    if !new.email_verified {
        outbox.add(tx, MailKind::VerifyEmail, new.id, context).await?;
    }
    UserRows(tx).find(new.id).await?.ok_or(UserError::UserNotFound)
}
