//! Login with `?session=cookie`.

use serde_json::json;

use super::{Cookies, OWN, set_by, set_cookies};
use crate::{PASSWORD, login, register, service, service_with};

#[actix_web::test]
async fn a_login_sets_cookies_and_answers_without_tokens() {
    let service = service().await;
    let user = register(&service, "ada@example.com").await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let response = service.anonymous().post("/auth/login?session=cookie", body).await;
    assert_eq!(
        response.assert_status(200).json(),
        json!({"expires_in": 900, "user": user})
    );
    assert_eq!(response.header("cache-control"), "no-store");
    let cookies = Cookies::of(&response);
    let attributes = "; HttpOnly; SameSite=Lax; Path=/; Max-Age=";
    assert_eq!(
        set_cookies(&response),
        [
            format!("countersign_access={}{attributes}900", cookies.access),
            format!("countersign_refresh={}{attributes}604800", cookies.refresh),
        ]
    );
    cookies.page(&service).get("/users/me").await.assert(200, user);
}

/// A page could otherwise show one user and act as the other (session fixation).
#[actix_web::test]
async fn a_login_replaces_the_cookies_of_another_user() {
    let service = service().await;
    let ada = super::ada_with_cookies(&service).await;
    let user = register(&service, "bob@example.com").await;
    let body = json!({"email": "bob@example.com", "password": PASSWORD});
    let response = ada.page(&service).post("/auth/login?session=cookie", body).await;
    response.assert_status(200);
    let bob = Cookies::of(&response);
    assert_ne!((&bob.access, &bob.refresh), (&ada.access, &ada.refresh));
    bob.page(&service)
        .get("/users/me")
        .await
        .assert(200, user.clone());
    let next = super::post(&bob.page_without_access(&service), "/auth/refresh").await;
    next.assert(200, json!({"user": user}));
}

#[actix_web::test]
async fn a_login_without_the_parameter_sets_no_cookies() {
    let service = service().await;
    register(&service, "ada@example.com").await;
    let response = login(&service, "ada@example.com", PASSWORD).await;
    assert!(response.assert_status(200).json()["access_token"].is_string());
    assert!(set_cookies(&response).is_empty());
}

#[actix_web::test]
async fn a_failed_login_sets_no_cookies() {
    let service = service().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let response = service.anonymous().post("/auth/login?session=cookie", body).await;
    response.assert_problem(401, "invalid_credentials");
    assert!(set_cookies(&response).is_empty());
}

#[actix_web::test]
async fn another_or_a_repeated_value_of_the_parameter_is_refused() {
    let service = service().await;
    for query in [
        "session=",
        "session=token",
        "session=Cookie",
        "session=cookie&session=cookie",
        "session=cookie&session=token",
        "session",
        "session=cookie%00",
    ] {
        for path in ["/auth/login", "/auth/refresh"] {
            let response = service
                .anonymous()
                .post(&format!("{path}?{query}"), json!({}))
                .await;
            response.assert_problem(400, "invalid_query");
        }
    }
}

#[actix_web::test]
async fn over_https_the_cookies_are_secure_and_have_the_host_prefix() {
    let https = "https://shop.example";
    let service = service_with(&[("PUBLIC_URL", https)]).await;
    let user = register(&service, "ada@example.com").await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD});
    let login = async |source: (&str, &str)| {
        service
            .anonymous()
            .with(source.0, source.1)
            .post("/auth/login?session=cookie", body.clone())
            .await
    };
    let response = login(("origin", https)).await;
    let (access, refresh) = ("__Host-countersign-access", "__Host-countersign-refresh");
    let access_token = set_by(response.assert_status(200), access).unwrap();
    let refresh_token = set_by(&response, refresh).unwrap();
    for line in set_cookies(&response) {
        assert!(
            line.contains("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age="),
            "{line}"
        );
    }
    login(("origin", OWN)).await.assert_problem(403, "cross_site");

    let page = |cookie: String| service.anonymous().with("cookie", &cookie).with("origin", https);
    let me = async |cookie: String| page(cookie).get("/users/me").await;
    me(format!("{access}={access_token}")).await.assert(200, user);
    // The other form of the name is for http, and no request can choose it.
    me(format!("countersign_access={access_token}"))
        .await
        .assert_problem(401, "no_token");
    let other = page(format!("countersign_refresh={refresh_token}"));
    other
        .post("/auth/refresh", json!({}))
        .await
        .assert_invalid("refresh_token");
    let page = page(format!("{refresh}={refresh_token}"));
    let next = page.post("/auth/refresh", json!({})).await;
    assert!(set_by(next.assert_status(200), refresh).is_some_and(|next| next != refresh_token));
}

#[actix_web::test]
async fn over_http_the_names_of_https_are_not_accepted() {
    let service = service().await;
    let cookies = super::ada_with_cookies(&service).await;
    super::page(&service, &format!("__Host-countersign-access={}", cookies.access))
        .get("/users/me")
        .await
        .assert_problem(401, "no_token");
    let refresh = format!("__Host-countersign-refresh={}", cookies.refresh);
    super::page(&service, &refresh)
        .post("/auth/refresh", json!({}))
        .await
        .assert_invalid("refresh_token");
}
