//! Which responses remove the cookies from the browser.

use actix_web::http::Method;
use serde_json::json;
use test_kit::{Client, TestResponse};

use super::{
    ACCESS, Cookies, OWN, REFRESH, ada_with_cookies, logged_in_with_cookies, page, post, post_json,
    removes_both, set_by, set_cookies,
};
use crate::database::execute;
use crate::{PASSWORD, logged_in_ada, refresh, register, seconds, service, service_with};

#[track_caller]
fn assert_removes_both(response: &TestResponse) {
    assert!(removes_both(response), "{:?}", set_cookies(response));
}

#[actix_web::test]
async fn a_logout_ends_the_session_of_each_credential_and_removes_the_cookies() {
    let service = service().await;
    let first = ada_with_cookies(&service).await;
    let [second, third, fourth] = [
        logged_in_with_cookies(&service, "ada@example.com").await,
        logged_in_with_cookies(&service, "ada@example.com").await,
        logged_in_with_cookies(&service, "ada@example.com").await,
    ];
    let of_three_sessions = Cookies {
        access: first.access.clone(),
        refresh: second.refresh.clone(),
    };
    let body = json!({"refresh_token": third.refresh});
    let response = post_json(&of_three_sessions.page(&service), "/auth/logout", body).await;
    response.assert_status(204);
    assert_removes_both(&response);
    for ended in [&first, &second, &third] {
        let page = ended.page(&service);
        page.get("/users/me").await.assert_problem(401, "token_revoked");
        let response = post(&page, "/auth/refresh").await;
        response.assert_problem(401, "invalid_refresh_token");
        assert_removes_both(&response);
    }
    fourth.page(&service).get("/users/me").await.assert_status(200);
    // With the refresh cookie alone, because the access cookie ends earlier.
    service.issuer().clock().advance(seconds(1_000));
    let response = post(&fourth.page_without_access(&service), "/auth/logout").await;
    assert_removes_both(response.assert_status(204));
    refresh(&service, &json!(fourth.refresh))
        .await
        .assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_logout_with_any_credentials_removes_the_cookies() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let cookies = logged_in_with_cookies(&service, "ada@example.com").await;
    let good = cookies.page(&service);
    let bearer = pair["access_token"].as_str().unwrap();
    let anonymous = service.anonymous();
    for (client, status) in [
        (anonymous.clone(), 204),
        (page(&service, "theme=dark"), 204),
        (
            page(&service, &format!("{ACCESS}=nonsense; {REFRESH}=nonsense")),
            204,
        ),
        (
            page(
                &service,
                &format!("{ACCESS}=a; {ACCESS}=b; {REFRESH}=a; {REFRESH}=b"),
            ),
            204,
        ),
        (page(&service, &format!("{ACCESS}={}", "a".repeat(9_000))), 204),
        (anonymous.with("cookie", &format!("{ACCESS}=nonsense")), 204),
        (good.with_token(bearer), 400),
        (ada.with("authorization", "Bearer another"), 400),
    ] {
        let response = post(&client, "/auth/logout").await;
        response.assert_status(status);
        assert_removes_both(&response);
    }
    for (content_type, body, status) in [
        ("application/json", "{", 400),
        ("text/plain", "{}", 415),
        ("application/json", r#"{"a": 1}"#, 422),
    ] {
        let response = good
            .send(&Method::POST, "/auth/logout", |request| {
                request.header("content-type", content_type).body(body)
            })
            .await;
        response.assert_status(status);
        assert_removes_both(&response);
    }
    // None of them ended the session.
    good.get("/users/me").await.assert_status(200);
    ada.get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn a_logout_removes_the_cookies_also_if_the_database_fails() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    execute(&service, "alter table sessions rename to hidden").await;
    let response = post(&cookies.page(&service), "/auth/logout").await;
    assert!(response.status >= 500, "{response:?}");
    assert_removes_both(&response);
}

#[actix_web::test]
async fn a_logout_that_a_page_of_another_site_causes_changes_nothing() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let with_cookies = service.anonymous().with(
        "cookie",
        &format!("{ACCESS}={}; {REFRESH}={}", cookies.access, cookies.refresh),
    );
    // A browser may send the request without the cookies, and still obey the response.
    for client in [with_cookies, service.anonymous().clone()] {
        for (name, value) in [
            ("origin", "https://evil.example"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let response = post(&client.with(name, value), "/auth/logout").await;
            response.assert_problem(403, "cross_site");
            assert!(set_cookies(&response).is_empty());
            // It is refused before the body is read.
            let response = client
                .with(name, value)
                .send(&Method::POST, "/auth/logout", |request| {
                    request.header("content-type", "application/json").body("{")
                })
                .await;
            response.assert_problem(403, "cross_site");
        }
    }
    // A request with cookies must say where it comes from.
    let unknown = service
        .anonymous()
        .with("cookie", &format!("{ACCESS}={}", cookies.access));
    let response = post(&unknown, "/auth/logout").await;
    response.assert_problem(403, "cross_site");
    assert!(set_cookies(&response).is_empty());
    cookies.page(&service).get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn a_page_of_another_site_may_log_out_with_a_bearer_token() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    let response = post(&ada.with("origin", "https://evil.example"), "/auth/logout").await;
    response.assert_status(204);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    // A browser adds these itself.
    for authorization in ["Basic YTpi", "Negotiate YTpi", "Bearer1 a"] {
        let foreign = service.anonymous().with("origin", "https://evil.example");
        let response = post(&foreign.with("authorization", authorization), "/auth/logout").await;
        response.assert_problem(403, "cross_site");
        assert!(set_cookies(&response).is_empty());
    }
}

#[actix_web::test]
async fn over_https_a_logout_removes_the_cookies_with_the_host_prefix() {
    let service = service_with(&[("PUBLIC_URL", "https://shop.example")]).await;
    let response = post(service.anonymous(), "/auth/logout").await;
    response.assert_status(204);
    let expected = ["access", "refresh"]
        .map(|name| format!("__Host-countersign-{name}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"));
    assert_eq!(set_cookies(&response), expected);
}

#[actix_web::test]
async fn the_end_of_the_current_session_removes_its_cookies() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let other = logged_in_with_cookies(&service, "ada@example.com").await;
    let page = cookies.page(&service);
    let listed = page.get("/auth/sessions").await.assert_status(200).json();
    let id = |is_current: bool| {
        let sessions = listed["items"].as_array().unwrap();
        let session = sessions
            .iter()
            .find(|session| session["current"] == is_current)
            .unwrap();
        format!("/auth/sessions/{}", session["id"].as_str().unwrap())
    };
    let response = page.delete(&id(false)).await;
    assert_eq!(set_cookies(response.assert_status(204)), [""; 0]);
    other
        .page(&service)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
    let response = page.delete(&id(true)).await;
    assert_removes_both(response.assert_status(204));

    let cookies = logged_in_with_cookies(&service, "ada@example.com").await;
    let response = post(&cookies.page(&service), "/auth/logout-all").await;
    assert_removes_both(response.assert_status(204));
    let response = post(&cookies.page(&service), "/auth/logout-all").await;
    response.assert_problem(401, "token_revoked");
    assert!(set_cookies(&response).is_empty());
}

#[actix_web::test]
async fn a_changed_password_keeps_the_cookies_of_the_current_session() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let other = logged_in_with_cookies(&service, "ada@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
    let page = cookies.page(&service);
    let response = page.put("/auth/password", body).await;
    assert_eq!(set_cookies(response.assert_status(204)), [""; 0]);
    page.get("/users/me").await.assert_status(200);
    other
        .page(&service)
        .get("/users/me")
        .await
        .assert_problem(401, "token_revoked");
}

#[actix_web::test]
async fn a_bad_access_cookie_is_anonymous_and_removed() {
    let service = service().await;
    let user = register(&service, "ada@example.com").await;
    let cookies = logged_in_with_cookies(&service, "ada@example.com").await;
    let bad = page(
        &service,
        &format!("{ACCESS}=nonsense; {REFRESH}={}", cookies.refresh),
    );
    let response = bad.get("/auth/current-user").await;
    response.assert(200, json!({"current_user": null}));
    assert_eq!(
        set_cookies(&response),
        [format!("{ACCESS}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")]
    );
    let response = cookies.page(&service).get("/auth/current-user").await;
    response.assert(200, json!({"current_user": user}));
    assert!(set_cookies(&response).is_empty());
    // A new login replaces the cookie, and does not remove it.
    let login = async |client: Client| {
        let body = json!({"email": "ada@example.com", "password": PASSWORD});
        client.post("/auth/login?session=cookie", body).await
    };
    for client in [
        bad,
        service.anonymous().with("cookie", &format!("{ACCESS}=nonsense")),
    ] {
        let response = login(client).await;
        assert!(!set_by(response.assert_status(200), ACCESS).unwrap().is_empty());
    }
    login(service.anonymous().with("origin", OWN))
        .await
        .assert_status(200);
}
