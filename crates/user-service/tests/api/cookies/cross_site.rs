//! Requests that pages of other sites cause (CSRF).

use serde_json::{Value, json};
use test_kit::{Client, TestService};

use super::{ACCESS, OWN, REFRESH, ada_with_cookies, set_cookies};
use crate::database::number;
use crate::{PASSWORD, logged_in_ada, register, seconds, service, service_with};

const APP: &str = "https://app.example";
const FOREIGN: [(&str, &str); 6] = [
    ("origin", "https://evil.example"),
    ("origin", "null"),
    ("origin", "http://localhost:8081"),
    ("origin", "https://localhost:8080"),
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
];
const ALLOWED: [(&str, &str); 4] = [
    ("origin", OWN),
    ("origin", APP),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-site", "none"),
];

/// A client with this cookie, for each cookie of a session.
async fn with_each_cookie(service: &TestService) -> [Client; 2] {
    let cookies = ada_with_cookies(service).await;
    [
        format!("{ACCESS}={}", cookies.access),
        format!("{REFRESH}={}", cookies.refresh),
    ]
    .map(|cookie| service.anonymous().with("cookie", &cookie))
}

/// A request to a route for anyone, for which the cookies are not needed.
async fn verify(client: &Client) -> u16 {
    client.post("/auth/verify", json!({"token": "x"})).await.status
}

#[actix_web::test]
async fn an_unsafe_request_with_either_cookie_must_come_from_an_allowed_page() {
    let service = service_with(&[("CORS_ORIGINS", APP)]).await;
    for client in with_each_cookie(&service).await {
        for (name, value) in ALLOWED {
            assert_eq!(verify(&client.with(name, value)).await, 200, "{name}: {value}");
        }
        for (name, value) in FOREIGN.into_iter().chain([("referer", "http://localhost:8080/")]) {
            let client = client.with(name, value);
            assert_eq!(verify(&client).await, 403, "{name}: {value}");
            // Safe requests change nothing.
            client.get("/auth/current-user").await.assert_status(200);
        }
        // Both headers: a page of CORS_ORIGINS is on another site.
        let page = client.with("sec-fetch-site", "cross-site").with("origin", APP);
        assert_eq!(verify(&page).await, 200);
        let page = client.with("origin", OWN).with("origin", "https://evil.example");
        assert_eq!(verify(&page).await, 403);
        assert_eq!(verify(&client).await, 403);
    }
}

#[actix_web::test]
async fn each_unsafe_route_refuses_the_cookie_of_a_page_of_another_site() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let evil = service
        .anonymous()
        .with("cookie", &format!("{ACCESS}={}", cookies.access))
        .with("origin", "https://evil.example");
    for route in user_service::routes()
        .iter()
        .filter(|route| !route.method.is_safe())
    {
        let path = route.path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
        let response = evil
            .send(&route.method, &path, |request| request.json(&json!({})))
            .await;
        let is_for_users = !matches!(
            route.policy,
            auth::Policy::AnyRole(_) | auth::Policy::AnyService | auth::Policy::Service(_)
        );
        // A user who is not admitted is refused before.
        let code = if is_for_users { "cross_site" } else { "forbidden" };
        response.assert_problem(403, code);
        assert!(set_cookies(&response).is_empty());
    }
    cookies.page(&service).get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn a_missing_or_bad_credential_gets_401_before_403() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let evil = |cookie: &str| {
        let client = service.anonymous().with("cookie", cookie);
        client.with("origin", "https://evil.example")
    };
    let patch = async |client: &Client| client.patch("/users/me", json!({"name": "Eve"})).await;
    let good = format!("{ACCESS}={}", cookies.access);
    patch(&evil(&good)).await.assert_problem(403, "cross_site");
    patch(&evil(&format!("{ACCESS}=nonsense")))
        .await
        .assert_problem(401, "no_token");
    patch(&evil(&format!("{REFRESH}={}", cookies.refresh)))
        .await
        .assert_problem(401, "no_token");
    service.issuer().clock().advance(seconds(1_000));
    patch(&evil(&good)).await.assert_problem(401, "token_expired");
    // A bad cookie counts as none, so it does not make a request one with cookies.
    assert_eq!(verify(&evil(&format!("{ACCESS}=nonsense"))).await, 200);
    assert_eq!(verify(&evil(&good)).await, 403);
}

#[actix_web::test]
async fn bearer_clients_are_not_concerned() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    for (name, value) in FOREIGN {
        let client = ada.with(name, value);
        client
            .patch("/users/me", json!({"name": "Ada"}))
            .await
            .assert_status(200);
        let client = client.with("cookie", "theme=dark");
        client
            .patch("/users/me", json!({"name": "Ada"}))
            .await
            .assert_status(200);
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        let response = service
            .anonymous()
            .with(name, value)
            .post("/auth/login", body)
            .await;
        response.assert_status(200);
    }
}

#[actix_web::test]
async fn a_page_of_another_site_can_not_log_a_browser_in() {
    let service = service_with(&[("CORS_ORIGINS", APP)]).await;
    register(&service, "ada@example.com").await;
    let login = async |client: &Client, password: &str| {
        let body = json!({"email": "ada@example.com", "password": password});
        client.post("/auth/login?session=cookie", body).await
    };
    let failures = async || number(&service, "select count(*) from audit_log where event = 'login'").await;
    for (name, value) in FOREIGN {
        let client = service.anonymous().with(name, value);
        for password in [PASSWORD, "wrong"] {
            let response = login(&client, password).await;
            response.assert_problem(403, "cross_site");
            assert!(set_cookies(&response).is_empty());
        }
    }
    assert_eq!(failures().await, 0, "a password was checked");
    for (name, value) in ALLOWED {
        let response = login(&service.anonymous().with(name, value), PASSWORD).await;
        assert_eq!(set_cookies(response.assert_status(200)).len(), 2);
    }
    // A client that is not a browser.
    let response = login(service.anonymous(), PASSWORD).await;
    assert_eq!(set_cookies(response.assert_status(200)).len(), 2);
}

#[actix_web::test]
async fn a_page_of_another_site_can_not_set_cookies_by_a_refresh() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let body: Value = json!({"refresh_token": pair["refresh_token"]});
    for (name, value) in FOREIGN {
        let client = service.anonymous().with(name, value);
        let response = client.post("/auth/refresh?session=cookie", body.clone()).await;
        response.assert_problem(403, "cross_site");
    }
    // The token is unused. Without cookies, the page's origin does not matter.
    let client = service.anonymous().with("origin", "https://evil.example");
    client.post("/auth/refresh", body).await.assert_status(200);
}
