//! Refreshing with the cookie.

use actix_web::http::Method;
use serde_json::json;
use test_kit::TestResponse;

use super::{
    Cookies, REFRESH, ada_with_cookies, logged_in_with_cookies, page, post, post_json, removes_both, set_by,
    set_cookies,
};
use crate::database::execute;
use crate::{logged_in, refresh, register, seconds, service};

/// Requires the next cookies, and no token in the body.
#[track_caller]
fn next_cookies(response: &TestResponse) -> Cookies {
    let body = response.assert_status(200).json();
    let mut members: Vec<_> = body.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["expires_in", "user"]);
    Cookies::of(response)
}

#[track_caller]
fn assert_removes_refresh_cookie(response: &TestResponse) {
    let set = set_cookies(response);
    assert_eq!(set.len(), 1, "{set:?}");
    assert!(
        set[0].starts_with(&format!("{REFRESH}=;")) && set[0].contains("Max-Age=0"),
        "{set:?}"
    );
}

#[actix_web::test]
async fn without_a_body_and_a_cookie_there_is_nothing_to_refresh() {
    let service = service().await;
    let response = service
        .anonymous()
        .send(&Method::POST, "/auth/refresh", |request| request)
        .await;
    response.assert_problem(401, "invalid_refresh_token");
}

#[actix_web::test]
async fn a_page_of_another_site_removes_no_cookie() {
    let service = service().await;
    // A form that its page submits: the browser leaves out the cookies, but would obey `Set-Cookie`.
    let foreign = service.anonymous().with("origin", "https://evil.example");
    let response = post(&foreign, "/auth/refresh").await;
    response.assert_problem(401, "invalid_refresh_token");
    assert!(set_cookies(&response).is_empty());
    // With the cookies, in every form.
    for cookie in ["a", "a; countersign_refresh=b", ""] {
        let client = foreign.with("cookie", &format!("{REFRESH}={cookie}"));
        let response = post(&client, "/auth/refresh").await;
        response.assert_problem(403, "cross_site");
        assert!(set_cookies(&response).is_empty());
    }
}

#[actix_web::test]
async fn a_refresh_by_cookie_needs_no_body_and_sets_the_next_cookies() {
    let service = service().await;
    let mut cookies = ada_with_cookies(&service).await;
    for body in [None, Some(""), Some("{}"), Some("chunked")] {
        let page = cookies.page_without_access(&service);
        let response = match body {
            None => post(&page, "/auth/refresh").await,
            Some("") => {
                let page = page.with("content-type", "application/json");
                post(&page, "/auth/refresh").await
            }
            Some("chunked") => {
                let request = format!(
                    "POST /auth/refresh HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncookie: {REFRESH}={}\r\n\
                     origin: http://localhost:8080\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
                    cookies.refresh
                );
                let response = service.raw(request.as_bytes()).await;
                assert!(response.starts_with("HTTP/1.1 200"), "{response}");
                // The next request presents the same token again.
                continue;
            }
            Some(_) => post_json(&page, "/auth/refresh", json!({})).await,
        };
        let next = next_cookies(&response);
        assert_ne!(next.refresh, cookies.refresh);
        next.page(&service).get("/users/me").await.assert_status(200);
        cookies = next;
    }
}

#[actix_web::test]
async fn a_token_from_the_cookie_is_answered_with_cookies_only() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    // Also if the body has the same token.
    let body = json!({"refresh_token": cookies.refresh});
    let response = post_json(&cookies.page(&service), "/auth/refresh", body).await;
    next_cookies(&response);
}

#[actix_web::test]
async fn a_token_from_the_body_is_answered_with_cookies_if_the_client_asks_for_them() {
    let service = service().await;
    register(&service, "ada@example.com").await;
    let pair = logged_in(&service, "ada@example.com").await;
    let body = json!({"refresh_token": pair["refresh_token"]});
    let response = service
        .anonymous()
        .post("/auth/refresh?session=cookie", body)
        .await;
    let next = next_cookies(&response);

    let response = refresh(&service, &json!(next.refresh)).await;
    assert!(response.assert_status(200).json()["refresh_token"].is_string());
    assert!(set_cookies(&response).is_empty());
}

#[actix_web::test]
async fn two_different_refresh_tokens_are_refused_and_neither_is_used() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let pair = logged_in(&service, "ada@example.com").await;
    for other in [pair["refresh_token"].as_str().unwrap(), "", "nonsense"] {
        let body = json!({"refresh_token": other});
        let response = post_json(&cookies.page(&service), "/auth/refresh", body).await;
        response.assert_problem(400, "invalid_request");
        assert!(set_cookies(&response).is_empty());
    }
    for invalid in [
        json!({"refresh_token": null}),
        json!({"refresh_token": 1}),
        json!({"a": 1}),
    ] {
        let response = post_json(&cookies.page(&service), "/auth/refresh", invalid).await;
        response.assert_problem(422, "invalid_body");
        assert!(set_cookies(&response).is_empty());
    }
    refresh(&service, &pair["refresh_token"]).await.assert_status(200);
    next_cookies(&post(&cookies.page(&service), "/auth/refresh").await);
}

#[actix_web::test]
async fn a_malformed_doubled_or_oversized_cookie_counts_as_none_and_is_removed() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let token = &cookies.refresh;
    for bad in [
        format!("{REFRESH}={token}; {REFRESH}={token}"),
        format!("{REFRESH}="),
        format!("{REFRESH}={}", &token[1..]),
        format!("{REFRESH}={token}="),
        format!("{REFRESH}={}", "A".repeat(9_000)),
    ] {
        let page = page(&service, &bad);
        let response = post(&page, "/auth/refresh").await;
        response.assert_problem(401, "invalid_refresh_token");
        assert!(removes_both(&response), "{bad}");
        let response = post_json(&page, "/auth/refresh", json!({})).await;
        response.assert_invalid("refresh_token");
        assert_removes_refresh_cookie(&response);
        // The body decides alone.
        let response = post_json(&page, "/auth/refresh", json!({"refresh_token": "nonsense"})).await;
        response.assert_problem(401, "invalid_refresh_token");
        assert_removes_refresh_cookie(&response);
    }
    // A cookie of another name is not looked at.
    let page = page(&service, &format!("Countersign_refresh={token}"));
    let response = post_json(&page, "/auth/refresh", json!({"refresh_token": "nonsense"})).await;
    response.assert_problem(401, "invalid_refresh_token");
    assert!(set_cookies(&response).is_empty());
    next_cookies(&post(&cookies.page(&service), "/auth/refresh").await);
}

#[actix_web::test]
async fn a_cookie_that_can_not_be_refreshed_is_removed() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let unknown = page(&service, &format!("{REFRESH}={}", "A".repeat(43)));
    let replayed = logged_in_with_cookies(&service, "ada@example.com").await;
    post(&replayed.page(&service), "/auth/refresh")
        .await
        .assert_status(200);
    service.issuer().clock().advance(seconds(60));
    let expired = cookies.page_without_access(&service);
    for (page, wait) in [
        (unknown, 0),
        (replayed.page_without_access(&service), 0),
        (expired, 8 * 86_400),
    ] {
        service.issuer().clock().advance(seconds(wait));
        let response = post(&page, "/auth/refresh").await;
        response.assert_problem(401, "invalid_refresh_token");
        assert!(removes_both(&response), "{:?}", set_cookies(&response));
    }
}

#[actix_web::test]
async fn a_refresh_that_fails_for_another_reason_removes_nothing() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let page = cookies.page(&service);
    execute(&service, "alter table sessions rename to hidden").await;
    let response = post(&page, "/auth/refresh").await;
    assert!(response.status >= 500, "{response:?}");
    assert!(set_cookies(&response).is_empty());
    execute(&service, "alter table hidden rename to sessions").await;
    next_cookies(&post(&page, "/auth/refresh").await);
}

#[actix_web::test]
async fn two_tabs_that_refresh_at_the_same_time_get_the_same_cookie() {
    let service = service().await;
    let cookies = ada_with_cookies(&service).await;
    let page = cookies.page(&service);
    let (one, other) =
        futures_util::future::join(post(&page, "/auth/refresh"), post(&page, "/auth/refresh")).await;
    assert_eq!(next_cookies(&one).refresh, next_cookies(&other).refresh);
    assert!(set_by(&one, REFRESH).is_some());
}
