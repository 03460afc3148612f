//! Each route, as each kind of caller: who is admitted, and how the others are refused.

use test_kit::{Client, TestService};

use crate::{ADMIN, PUBLIC, SERVICE, USER, service};

#[actix_web::test]
async fn everyone_may_call_the_public_route() {
    let service = service().await;
    let revoked = service.client_with(&service.user_token("eve", &["user"]).revoked());
    for client in [
        service.anonymous().clone(),
        service.user("ada"),
        service.admin(),
        service.service("order-service"),
        revoked,
    ] {
        client.get(PUBLIC).await.assert_status(200);
    }
}

#[actix_web::test]
async fn only_users_may_call_the_route_for_users() {
    let service = service().await;
    for client in [service.user("ada"), service.support(), service.admin()] {
        assert_admitted(&client, USER).await;
    }
    assert_forbidden(&service.service("order-service"), USER).await;
    assert_invalid_tokens_are_refused(&service, USER).await;
}

#[actix_web::test]
async fn only_admins_may_call_the_route_for_admins() {
    let service = service().await;
    assert_admitted(&service.admin(), ADMIN).await;
    for client in [
        service.user("ada"),
        service.support(),
        service.service("order-service"),
    ] {
        assert_forbidden(&client, ADMIN).await;
    }
    assert_invalid_tokens_are_refused(&service, ADMIN).await;
}

#[actix_web::test]
async fn only_services_may_call_the_route_for_services() {
    let service = service().await;
    assert_admitted(&service.service("order-service"), SERVICE).await;
    for client in [service.user("ada"), service.admin()] {
        assert_forbidden(&client, SERVICE).await;
    }
    let for_another = service.issuer().as_service("order-service").wrong_audience();
    let refused = service.client_with(&for_another).get(SERVICE).await;
    refused.assert_problem(401, "invalid_token");
    assert_invalid_tokens_are_refused(&service, SERVICE).await;
}

#[actix_web::test]
async fn a_token_that_was_admitted_is_refused_once_it_is_revoked() {
    let service = service().await;
    let token = service.user_token("ada", &["user", "admin"]);
    let ada = service.client_with(&token);
    for path in [USER, ADMIN] {
        assert_admitted(&ada, path).await;
    }
    drop(token.revoked());
    for path in [USER, ADMIN] {
        ada.get(path).await.assert_problem(401, "token_revoked");
    }
}

/// Requires that the handler answers. It may have nothing to show.
async fn assert_admitted(client: &Client, path: &str) {
    let answer = client.get(path).await;
    let is_empty = answer.status == 404 && !answer.body.contains(r#""not_found""#);
    assert!(answer.status == 200 || is_empty, "{path}: {answer:?}");
}

async fn assert_forbidden(client: &Client, path: &str) {
    client.get(path).await.assert_problem(403, "forbidden");
}

/// Calls the route without a token, and with tokens that are no longer valid or never were.
async fn assert_invalid_tokens_are_refused(service: &TestService, path: &str) {
    let refused = service.anonymous().get(path).await;
    refused.assert_problem(401, "no_token");

    let admin = || service.user_token("admin", &["user", "admin"]);
    for (token, code) in [
        (admin().expired(), "token_expired"),
        (admin().wrong_audience(), "invalid_token"),
        (admin().signed_by_a_stranger(), "invalid_token"),
        (admin().revoked(), "token_revoked"),
    ] {
        let refused = service.client_with(&token).get(path).await;
        refused.assert_problem(401, code);
    }
}
