//! Everything that revokes tokens is an event.

use actix_web::http::Method;
use serde_json::{Value, json};
use test_kit::Client;

use super::{Publisher, Reader, data_of};
use crate::admin_users::path_of;
use crate::{
    PASSWORD, logged_in, logged_in_ada, logged_in_admin, random_secret, refresh, refreshed, seconds,
};

/// Ada's session, and a reader that waits for the next event.
struct Case {
    publisher: Publisher,
    reader: Reader,
    pair: Value,
    ada: Client,
}

impl Case {
    async fn new() -> Self {
        Self::of(Publisher::new().await).await
    }

    async fn of(publisher: Publisher) -> Self {
        let (pair, ada) = logged_in_ada(&publisher.users).await;
        let (reader, _) = publisher.connect_until_ready().await;
        Self {
            publisher,
            reader,
            pair,
            ada,
        }
    }

    async fn post(client: &Client, path: &str) {
        client
            .send(&Method::POST, path, |request| request)
            .await
            .assert_status(204);
    }

    /// The id of Ada's session.
    async fn session(&self) -> Value {
        let body = json!({"token": self.pair["access_token"]});
        let users = &self.publisher.users;
        let verdict = users.anonymous().post("/auth/verify", body).await;
        verdict.json()["claims"]["sid"].clone()
    }

    async fn assert_session_revoked(mut self, session: Value) {
        let data = data_of(&self.reader.next().await.unwrap());
        assert_eq!((&data["kind"], &data["id"]), (&json!("session"), &session));
        let clock = self.publisher.users.issuer().clock().unix();
        assert!(data["expires_at"].as_i64().unwrap() > clock, "{data}");
    }

    async fn assert_user_revoked(mut self) {
        let data = data_of(&self.reader.next().await.unwrap());
        assert_eq!(
            (&data["kind"], &data["id"]),
            (&json!("user"), &self.pair["user"]["id"])
        );
        assert!(data["epoch"].as_i64().unwrap() > 0, "{data}");
    }
}

#[actix_web::test]
async fn a_logout_is_an_event() {
    let case = Case::new().await;
    let session = case.session().await;
    Case::post(&case.ada, "/auth/logout").await;
    case.assert_session_revoked(session).await;
}

#[actix_web::test]
async fn a_logout_everywhere_is_an_event() {
    let case = Case::new().await;
    Case::post(&case.ada, "/auth/logout-all").await;
    case.assert_user_revoked().await;
}

#[actix_web::test]
async fn the_end_of_a_session_is_an_event() {
    let case = Case::new().await;
    let session = case.session().await;
    let path = format!("/auth/sessions/{}", session.as_str().unwrap());
    case.ada.delete(&path).await.assert_status(204);
    case.assert_session_revoked(session).await;
}

#[actix_web::test]
async fn a_change_of_password_is_an_event() {
    let case = Case::new().await;
    let session = case.session().await;
    let laptop = logged_in(&case.publisher.users, "ada@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": "another long password"});
    crate::with_token(&case.publisher.users, &laptop)
        .put("/auth/password", body)
        .await
        .assert_status(204);
    case.assert_session_revoked(session).await;
}

#[actix_web::test]
async fn a_replayed_refresh_token_is_an_event() {
    let case = Case::new().await;
    let session = case.session().await;
    let users = &case.publisher.users;
    refreshed(users, &case.pair).await;
    users.issuer().clock().advance(seconds(11));
    refresh(users, &case.pair["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    case.assert_session_revoked(session).await;
}

#[actix_web::test]
async fn a_token_that_a_service_revokes_is_an_event() {
    let secret = random_secret();
    let case = Case::of(Publisher::with(&[("ORDER_SERVICE_SECRET", &secret)]).await).await;
    let session = case.session().await;
    let form = format!("token={}", case.pair["access_token"].as_str().unwrap());
    case.publisher
        .users
        .anonymous()
        .with_basic_auth("order-service", &secret)
        .post_form("/oauth/revoke", &form)
        .await
        .assert_status(200);
    case.assert_session_revoked(session).await;
}

#[actix_web::test]
async fn an_admins_change_of_a_user_is_an_event() {
    for (method, suffix, body, status) in [
        (Method::PATCH, "", Some(json!({"disabled": true})), 200),
        (
            Method::PATCH,
            "",
            Some(json!({"roles": ["user", "support"]})),
            200,
        ),
        (Method::POST, "/logout", None, 204),
        (Method::DELETE, "", None, 204),
    ] {
        let case = Case::new().await;
        let root = logged_in_admin(&case.publisher.users).await;
        let path = format!("{}{suffix}", path_of(&case.pair["user"]));
        root.send(&method, &path, |request| match &body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
        .assert_status(status);
        case.assert_user_revoked().await;
    }
}

#[actix_web::test]
async fn revoked_and_changed_signing_keys_are_events() {
    let publisher = Publisher::new().await;
    let (mut reader, _) = publisher.connect_until_ready().await;
    publisher.add_row("key", Some("k")).await;
    publisher.add_row("keys", None).await;

    let data = data_of(&reader.next().await.unwrap());
    assert_eq!((&data["kind"], &data["kid"]), (&json!("key"), &json!("k")));
    reader.assert_next("keys").await;
}
