//! The table `audit_log`. Rows are only added: triggers in the database refuse to change or delete rows.

use db::{Conn, on};
use service_kit::{Cursor, Limit, id};
use uuid::Uuid;

use crate::domain::{AuditRecord, Entry, Event, Origin};

pub(crate) struct AuditLogRows<'c>(pub &'c mut Conn);

impl AuditLogRows<'_> {
    /// Adds a record, and logs it once it is committed.
    pub(crate) async fn add(&mut self, entry: &Entry, origin: impl Into<Origin>) -> Result<(), sqlx::Error> {
        const SQL: &str = "
            insert into audit_log (id, at, event, outcome, actor_id, subject_id, ip, user_agent, request_id, detail)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let origin = origin.into();
        on!(self.0, conn => sqlx::query(SQL)
            .bind(id::new(origin.at))
            .bind(origin.at)
            .bind(entry.event)
            .bind(entry.outcome)
            .bind(entry.actor)
            .bind(entry.subject)
            .bind(origin.ip.as_deref())
            .bind(origin.user_agent.as_deref())
            .bind(origin.request_id.as_deref())
            .bind(entry.detail.as_deref())
            .execute(conn)
            .await
            .map(drop))?;
        let entry = entry.clone();
        self.0.after_commit(move || entry.log(&origin));
        Ok(())
    }

    /// Lists records, newest first, optionally only records of this event or with this user as actor or subject.
    pub(crate) async fn list(
        &mut self,
        user_id: Option<Uuid>,
        event: Option<Event>,
        cursor: Cursor,
        limit: Limit,
    ) -> Result<Vec<AuditRecord>, sqlx::Error> {
        // One statement per filter, so that each uses an index. Conditions that are always true, such as `$2 is null`, use the
        // parameters that a statement does not need, so that all statements have the same parameters.
        const ALL: &str = "
            select id, at, event, outcome, actor_id, subject_id, ip, user_agent, request_id, detail
            from audit_log
            where id < $1 and $2 is null and ($3 is null or event = $3)
            order by id desc limit $4";
        const OF_EVENT: &str = "
            select id, at, event, outcome, actor_id, subject_id, ip, user_agent, request_id, detail
            from audit_log
            where id < $1 and $2 is null and event = $3
            order by id desc limit $4";
        const OF_USER: &str = "
            select id, at, event, outcome, actor_id, subject_id, ip, user_agent, request_id, detail
            from audit_log
            where id in (
                select id from (
                    select id from audit_log
                    where actor_id = $2 and id < $1 and ($3 is null or event = $3) order by id desc limit $4
                ) as by_actor
                union
                select id from (
                    select id from audit_log
                    where subject_id = $2 and id < $1 and ($3 is null or event = $3) order by id desc limit $4
                ) as by_subject
            )
            order by id desc limit $4";
        let sql = match (user_id, event) {
            (Some(_), _) => OF_USER,
            (None, Some(_)) => OF_EVENT,
            (None, None) => ALL,
        };
        on!(self.0, conn => sqlx::query_as(sql)
            .bind(cursor.below())
            .bind(user_id)
            .bind(event)
            .bind(limit.rows())
            .fetch_all(conn)
            .await)
    }
}
