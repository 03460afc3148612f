//! The revocation feed, as a verifier reads it.

mod causes;
mod clocks;
mod restored;
mod resuming;
mod streams;

use std::time::Duration;

use db::on;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use test_kit::{EventStream, ServerSentEvent, TestDatabase, TestService};
use tokio::time::timeout;
use uuid::Uuid;

use crate::database::database;
use crate::{logged_in, random_secret, register, run, seconds, service_with_secret, with_token};

const PATH: &str = "/internal/revocations";
/// How long a test waits for an event.
const DEADLINE: Duration = Duration::from_secs(20);
/// The time that a busy machine may add to those in `docs/revocation.md`.
const BUSY: Duration = Duration::from_secs(2);

/// user-service with a shared secret, so that a test can sign the tokens of readers.
struct Publisher {
    users: TestService,
    secret: String,
}

impl Publisher {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(vars: &[(&str, &str)]) -> Self {
        let secret = random_secret();
        let users = service_with_secret(&secret, vars).await;
        Self { users, secret }.started().await
    }

    /// Another replica on the same database.
    async fn replica(&self) -> Self {
        let (users, secret) = (
            crate::replica(&self.users, &[("JWT_SECRET", &self.secret)]),
            self.secret.clone(),
        );
        Self { users, secret }.started().await
    }

    /// Stops the service, calls `meanwhile` with the database, and starts the service again.
    async fn restart(self, meanwhile: impl AsyncFnOnce(&TestDatabase)) -> Self {
        let (issuer, secret) = (self.users.issuer().clone(), self.secret);
        let database = self.users.stop().await;
        meanwhile(&database).await;
        let users = TestService::spawn_on(issuer, database, run(&[("JWT_SECRET", &secret)]));
        Self { users, secret }.started().await
    }

    /// The first response comes when the service has started.
    async fn started(self) -> Self {
        self.users
            .anonymous()
            .get("/health/live")
            .await
            .assert_status(200);
        self
    }

    /// A reader that has nothing.
    async fn connect(&self) -> Reader {
        Reader(self.users.service("order-service").events(PATH).await)
    }

    /// A reader that has everything up to the event with this id.
    async fn resume(&self, id: &str) -> Reader {
        let client = self.users.service("order-service").with("last-event-id", id);
        Reader(client.events(PATH).await)
    }

    /// A reader that has everything, and the position that it has reached.
    async fn connect_until_ready(&self) -> (Reader, String) {
        let mut reader = self.connect().await;
        loop {
            let event = reader.next().await.unwrap();
            if event.name == "ready" {
                return (reader, event.id);
            }
        }
    }

    /// Revokes the session of a new user, and returns the session's id.
    async fn revoke_session(&self) -> String {
        let email = format!("{}@example.com", Uuid::new_v4());
        register(&self.users, &email).await;
        let user = with_token(&self.users, &logged_in(&self.users, &email).await);
        let sessions = user.get("/auth/sessions").await.json();
        let id = sessions["items"][0]["id"].as_str().unwrap();
        let path = format!("/auth/sessions/{id}");
        user.delete(&path).await.assert_status(204);
        id.to_owned()
    }

    /// Adds a row of another kind to the feed.
    async fn add_row(&self, kind: &str, key_id: Option<&str>) {
        const COUNT: &str = "update revocation_counter set seq = seq + 1 returning seq";
        const ADD: &str = "insert into revocations (seq, kind, kid, expires_at) values ($1, $2, $3, $4)";
        let expires_at = self.users.issuer().clock().now() + seconds(900);
        let mut tx = database(&self.users).await.begin().await.unwrap();
        let added = on!(tx, conn => {
            let seq: i64 = sqlx::query_scalar(COUNT).fetch_one(&mut *conn).await?;
            sqlx::query(ADD).bind(seq).bind(kind).bind(key_id).bind(expires_at).execute(conn).await.map(drop)
        });
        added.unwrap();
        tx.commit().await.unwrap();
    }

    /// Runs these statements in one transaction.
    async fn execute(&self, statements: &[&str]) {
        let mut tx = database(&self.users).await.begin().await.unwrap();
        for sql in statements {
            let sql = AssertSqlSafe((*sql).to_owned());
            on!(tx, conn => sqlx::query(sql).execute(conn).await.map(drop)).unwrap();
        }
        tx.commit().await.unwrap();
    }
}

/// A connection to the feed.
struct Reader(EventStream);

impl Reader {
    /// The next event that is not a head. `None` at the end of the stream.
    async fn next(&mut self) -> Option<ServerSentEvent> {
        let next = async {
            loop {
                let event = self.0.next().await?;
                if event.name != "head" {
                    return Some(event);
                }
            }
        };
        timeout(DEADLINE, next).await.unwrap()
    }

    /// Requires an event of this type next, and returns its id.
    async fn assert_next(&mut self, name: &str) -> String {
        let event = self.next().await.unwrap();
        assert_eq!(event.name, name, "{event:?}");
        event.id
    }

    /// Requires the revocation of this session next, and returns the event's id.
    async fn assert_session(&mut self, session: &str) -> String {
        let event = self.next().await.unwrap();
        let data = data_of(&event);
        assert_eq!((&data["kind"], &data["id"]), (&json!("session"), &json!(session)));
        event.id
    }

    /// Requires that the stream ends.
    async fn assert_end(&mut self) {
        assert_eq!(self.next().await, None);
    }

    /// Requires that the reader has to begin again.
    async fn assert_reset(&mut self) {
        assert_eq!(self.assert_next("reset").await, "");
        assert_eq!(self.0.next().await, None);
    }
}

fn data_of(event: &ServerSentEvent) -> Value {
    assert_eq!(event.name, "revocation", "{event:?}");
    serde_json::from_str(&event.data).unwrap()
}

/// The sequence number in an event's id.
fn seq_of(id: &str) -> i64 {
    id.split_once(':').unwrap().1.parse().unwrap()
}
