//! Adds mails to the outbox.

use std::sync::Arc;

use db::Conn;
use service_kit::id;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use uuid::Uuid;

use crate::context::RequestContext;
use crate::domain::{Cause, EmailAddress, MailKind};
use crate::store::{NewMail, OutboxRows};

/// Adds mails to the outbox. Clones wake the same worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    added: Arc<Notify>,
}

impl Outbox {
    /// Adds a mail to a user. Call it in the transaction of the act that causes the mail.
    pub(crate) async fn add(
        &self,
        conn: &mut Conn,
        kind: MailKind,
        user_id: Uuid,
        context: &RequestContext,
    ) -> Result<(), sqlx::Error> {
        let (now, data) = (context.time(), data(context));
        let mail = NewMail {
            id: id::new(now),
            kind,
            data: &data,
            now,
        };
        OutboxRows(conn).add(user_id, &mail).await?;
        self.wake_worker(conn);
        Ok(())
    }

    /// Adds the mail of a requested password reset to an address that perhaps no user has. The worker decides that.
    pub(crate) async fn add_reset(
        &self,
        conn: &mut Conn,
        address: &EmailAddress,
        context: &RequestContext,
    ) -> Result<(), sqlx::Error> {
        let (now, data) = (context.time(), data(context));
        let mail = NewMail {
            id: id::new(now),
            kind: MailKind::ResetPassword,
            data: &data,
            now,
        };
        OutboxRows(conn).add_reset(address, &mail).await?;
        self.wake_worker(conn);
        Ok(())
    }

    fn wake_worker(&self, conn: &mut Conn) {
        let added = Arc::clone(&self.added);
        conn.after_commit(move || added.notify_one());
    }

    /// Completes when a mail was added. Mails of other replicas don't count.
    pub(super) fn added(&self) -> Notified<'_> {
        self.added.notified()
    }
}

fn data(context: &RequestContext) -> String {
    let cause = Cause {
        at: context.time(),
        ip: context.ip(),
        user_agent: context.user_agent.clone(),
    };
    // Texts and a time always have a JSON form.
    serde_json::to_string(&cause).unwrap_or_default()
}
