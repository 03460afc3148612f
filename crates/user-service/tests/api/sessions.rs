//! A user's sessions.

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_kit::TestService;

use crate::{
    PASSWORD, logged_in, logged_in_ada, logged_in_admin, login, refresh, refreshed, register, seconds,
    service, service_with, with_token,
};

async fn login_from(service: &TestService, address: &str, user_agent: &str) -> Value {
    let client = service
        .anonymous()
        .with("x-forwarded-for", address)
        .with("user-agent", user_agent);
    let credentials = json!({"email": "ada@example.com", "password": PASSWORD});
    client
        .post("/auth/login", credentials)
        .await
        .assert_status(200)
        .json()
}

#[actix_web::test]
async fn a_user_sees_their_sessions_with_address_and_user_agent() {
    let service = service_with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    register(&service, "ada@example.com").await;
    let phone = login_from(&service, "203.0.113.7", "Phone/1.0").await;
    service.issuer().clock().advance(seconds(60));
    let laptop = login_from(&service, "2001:db8::7", &"Laptop/".repeat(100)).await;
    register(&service, "bob@example.com").await;
    login(&service, "bob@example.com", PASSWORD)
        .await
        .assert_status(200);

    let sessions = with_token(&service, &laptop)
        .get("/auth/sessions")
        .await
        .assert_status(200)
        .json();
    let [newest, oldest] = sessions["items"].as_array().unwrap().as_slice() else {
        panic!("{sessions}")
    };
    assert_eq!(sessions["next_cursor"], json!(null));
    assert_eq!(
        (&newest["ip"], &newest["current"]),
        (&json!("2001:db8::7"), &json!(true))
    );
    assert_eq!(newest["user_agent"].as_str().unwrap().len(), 200);
    let expected = json!({
        "id": oldest["id"], "ip": "203.0.113.7", "user_agent": "Phone/1.0", "method": "password", "current": false,
        "created_at": oldest["created_at"], "last_used_at": oldest["created_at"],
    });
    assert_eq!(*oldest, expected);

    // A refresh updates address and user agent.
    service.issuer().clock().advance(seconds(60));
    let moved = service
        .anonymous()
        .with("x-forwarded-for", "198.51.100.9")
        .with("user-agent", "Phone/2.0");
    let body = json!({"refresh_token": phone["refresh_token"]});
    let phone = moved.post("/auth/refresh", body).await.assert_status(200).json();
    let sessions = with_token(&service, &phone)
        .get("/auth/sessions")
        .await
        .assert_status(200)
        .json();
    let used = &sessions["items"][1];
    assert_eq!(
        (&used["ip"], &used["user_agent"]),
        (&json!("198.51.100.9"), &json!("Phone/2.0"))
    );
    assert_eq!(
        (&used["created_at"], &used["current"]),
        (&oldest["created_at"], &json!(true))
    );
    assert_ne!(used["last_used_at"], oldest["last_used_at"]);
}

#[actix_web::test]
async fn x_forwarded_for_is_ignored_without_trusted_proxies() {
    let service = service().await;
    register(&service, "ada@example.com").await;
    let pair = login_from(&service, "203.0.113.7", "").await;
    let sessions = with_token(&service, &pair).get("/auth/sessions").await.json();
    assert_eq!(
        (&sessions["items"][0]["ip"], &sessions["items"][0]["user_agent"]),
        (&json!("127.0.0.1"), &json!(""))
    );
}

#[actix_web::test]
async fn sessions_are_paged_and_ended_ones_are_left_out() {
    let service = service().await;
    let (first, ada) = logged_in_ada(&service).await;
    for _ in 0..3 {
        login(&service, "ada@example.com", PASSWORD)
            .await
            .assert_status(200);
    }
    with_token(&service, &first)
        .post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    let pair = logged_in(&service, "ada@example.com").await;
    let again = with_token(&service, &pair);
    let page = again
        .get("/auth/sessions?limit=3")
        .await
        .assert_status(200)
        .json();
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    let rest = format!(
        "/auth/sessions?limit=3&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    let rest = again.get(&rest).await.assert_status(200).json();
    assert_eq!(
        (rest["items"].as_array().unwrap().len(), &rest["next_cursor"]),
        (1, &json!(null))
    );
    ada.get("/auth/sessions")
        .await
        .assert_problem(401, "token_revoked");

    // A session that is unused for 7 days expires.
    service.issuer().clock().advance(chrono::TimeDelta::days(7));
    let pair = logged_in(&service, "ada@example.com").await;
    let sessions = with_token(&service, &pair).get("/auth/sessions").await.json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn only_its_user_can_end_a_session() {
    let service = service().await;
    let (phone, _) = logged_in_ada(&service).await;
    let laptop = logged_in(&service, "ada@example.com").await;
    register(&service, "bob@example.com").await;
    let bob = with_token(&service, &logged_in(&service, "bob@example.com").await);
    let ada = with_token(&service, &laptop);
    let sessions = ada.get("/auth/sessions").await.json();
    let path = format!("/auth/sessions/{}", sessions["items"][1]["id"].as_str().unwrap());

    bob.delete(&path).await.assert_problem(404, "session_not_found");
    refresh(&service, &phone["refresh_token"])
        .await
        .assert_status(200);
    ada.delete(&path).await.assert_status(204);
    with_token(&service, &phone)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &phone["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    ada.delete(&path).await.assert_problem(404, "session_not_found");
    ada.get("/users/me").await.assert_status(200);

    let current = format!("/auth/sessions/{}", sessions["items"][0]["id"].as_str().unwrap());
    ada.delete(&current).await.assert_status(204);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn the_101st_login_ends_the_least_recently_used_session() {
    let service = service().await;
    let (first, _) = logged_in_ada(&service).await;
    service.issuer().clock().advance(seconds(1));
    let second = logged_in(&service, "ada@example.com").await;
    for _ in 2..100 {
        login(&service, "ada@example.com", PASSWORD)
            .await
            .assert_status(200);
    }
    service.issuer().clock().advance(seconds(1));
    let first = refreshed(&service, &first).await;
    with_token(&service, &second)
        .get("/users/me")
        .await
        .assert_status(200);
    let latest = logged_in(&service, "ada@example.com").await;

    with_token(&service, &second)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    refresh(&service, &second["refresh_token"])
        .await
        .assert_problem(401, "invalid_refresh_token");
    with_token(&service, &first)
        .get("/users/me")
        .await
        .assert_status(200);
    let listed = with_token(&service, &latest)
        .get("/auth/sessions?limit=100")
        .await
        .assert_status(200)
        .json();
    assert_eq!(
        (listed["items"].as_array().unwrap().len(), &listed["next_cursor"]),
        (100, &json!(null))
    );
}

#[actix_web::test]
async fn an_expired_session_is_listed_while_its_access_token_is_valid() {
    let service = service_with(&[("SESSION_TTL", "60s"), ("ACCESS_TOKEN_TTL", "5m")]).await;
    let (_, ada) = logged_in_ada(&service).await;
    service.issuer().clock().advance(seconds(120));
    let sessions = ada.get("/auth/sessions").await.assert_status(200).json();
    let path = format!("/auth/sessions/{}", sessions["items"][0]["id"].as_str().unwrap());
    ada.delete(&path).await.assert_status(204);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn one_of_several_requests_to_end_a_session_succeeds_and_is_recorded() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    logged_in(&service, "ada@example.com").await;
    let sessions = ada.get("/auth/sessions").await.json();
    let path = format!("/auth/sessions/{}", sessions["items"][0]["id"].as_str().unwrap());

    let responses = join_all((0..4).map(|_| ada.delete(&path))).await;
    let done = responses.iter().filter(|response| response.status == 204).count();
    assert_eq!(done, 1);
    for response in responses.iter().filter(|response| response.status != 204) {
        response.assert_problem(404, "session_not_found");
    }

    let log = root.get("/admin/audit-log?event=session_ended").await.json();
    assert_eq!(log["items"].as_array().unwrap().len(), 1, "{log}");
}
