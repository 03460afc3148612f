//! Completing a login.

use super::revocation::RevokingTx;
use super::{Sessions, TokenPair};
use crate::context::RequestContext;
use crate::domain::{Account, Entry, Event, LoginMethod, MailKind, NETWORK_LIFETIME};
use crate::error::UserError;
use crate::store::{AuditLogRows, KnownNetworks, LoginNetworkRows};

impl Sessions {
    /// Logs in a user who just authenticated by this method: opens a session, and reports a login from a new network to the user by
    /// mail. Fails with `InvalidCredentials` if the user was disabled or changed the password after the check.
    pub(crate) async fn log_in(
        &self,
        tx: &mut RevokingTx<'_>,
        user: &Account,
        method: LoginMethod<'_>,
        context: &RequestContext,
    ) -> Result<TokenPair, UserError> {
        // Locks the user, so that one of several concurrent logins from a network is the first.
        let pair = self.open(tx, user, method, context).await?;
        if remember_network(tx, user, context).await? {
            let outbox = &self.outbox;
            outbox.add(tx, MailKind::NewSignIn, user.id, context).await?;
        }
        let entry = Entry::of(Event::Login, user.id).with_method(method);
        AuditLogRows(tx).add(&entry, context).await?;
        Ok(pair)
    }
}

/// Remembers the network from which the user logs in, and returns whether it is new to the user. That of the first login is not,
/// because there is none to compare it with.
async fn remember_network(
    tx: &mut RevokingTx<'_>,
    user: &Account,
    context: &RequestContext,
) -> Result<bool, sqlx::Error> {
    let (network, now) = (context.network(), context.time());
    let known = LoginNetworkRows(tx).known(user.id, &network).await?;
    LoginNetworkRows(tx).remember(user.id, &network, now).await?;
    Ok(match known {
        KnownNetworks::This => false,
        KnownNetworks::Others => true,
        // Of an older account, all networks may have been forgotten.
        KnownNetworks::None => now - user.created_at > NETWORK_LIFETIME,
    })
}
