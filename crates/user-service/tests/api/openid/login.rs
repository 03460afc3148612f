//! The flow as it should be.

use serde_json::json;

use super::{Browser, Faults, begin, log_in, log_in_from, person, trusting, with_vars};
use crate::{service, with_token};

#[actix_web::test]
async fn the_configured_providers_are_listed() {
    let (service, _provider) = trusting().await;
    let listed = json!([{"name": "sso", "display_name": "Sso", "url": "http://localhost:8080/auth/sso"}]);
    let response = service.anonymous().get("/auth/providers").await;
    response.assert(200, json!({"items": listed, "next_cursor": null}));

    let without = crate::service().await;
    let response = without.anonymous().get("/auth/providers").await;
    response.assert(200, json!({"items": [], "next_cursor": null}));
}

#[actix_web::test]
async fn a_first_login_creates_a_user_and_a_second_one_finds_the_user() {
    let (service, provider) = trusting().await;
    let ada = person("1", "ada@example.com");
    let first = log_in(&service, &provider, &ada).await;
    first.assert(
        200,
        json!({"token_type": "Bearer", "scope": "products:write orders:write"}),
    );
    let pair = first.json();
    let user = &pair["user"];
    assert_eq!(
        (
            &user["email"],
            &user["email_verified"],
            &user["name"],
            &user["roles"]
        ),
        (
            &json!("ada@example.com"),
            &json!(true),
            &json!("Ada Lovelace"),
            &json!(["user"])
        )
    );
    assert_eq!(first.header("cache-control"), "no-store");

    let second = log_in(&service, &provider, &ada).await.assert_status(200).json();
    assert_eq!(second["user"], *user);

    let sessions = with_token(&service, &second).get("/auth/sessions").await.json();
    let methods: Vec<_> = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|session| &session["method"])
        .collect();
    assert_eq!(methods, ["sso", "sso"]);
}

#[actix_web::test]
async fn a_login_is_in_the_audit_log() {
    let (service, provider) = trusting().await;
    log_in(&service, &provider, &person("1", "ada@example.com"))
        .await
        .assert_status(200);
    let admin = crate::logged_in_admin(&service).await;
    let log = admin.get("/admin/audit-log").await.json();
    let records: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["event"].as_str().unwrap(), r["detail"].as_str()))
        .collect();
    for expected in [
        ("registered", Some("with sso")),
        ("identity_linked", Some("sso")),
        ("login", Some("with sso")),
    ] {
        assert!(records.contains(&expected), "{records:?}");
    }
}

#[actix_web::test]
async fn a_browser_with_return_to_gets_cookies_and_goes_there() {
    let (service, provider) = trusting().await;
    let mut browser = Browser::of(&service);
    let location = begin(&mut browser, "/auth/sso?return_to=/orders%3Fpage%3D2").await;
    let callback = provider.log_in(&location, &person("1", "ada@example.com"));
    let response = browser.get(&callback).await;
    response.assert_status(303);
    assert_eq!(response.header("location"), "http://localhost:8080/orders?page=2");
    assert_eq!(
        (response.body.as_str(), response.header("cache-control")),
        ("", "no-store")
    );
    assert_eq!(browser.cookies(), ["countersign_access", "countersign_refresh"]);
    let me = browser.get("/users/me").await;
    me.assert(200, json!({"email": "ada@example.com"}));
}

#[actix_web::test]
async fn cookies_without_return_to_are_possible() {
    let (service, provider) = trusting().await;
    for (start, suffix) in [("/auth/sso?session=cookie", ""), ("/auth/sso", "&session=cookie")] {
        let mut browser = Browser::of(&service);
        let location = begin(&mut browser, start).await;
        let callback = provider.log_in(&location, &person("1", "ada@example.com"));
        let response = browser.get(&format!("{callback}{suffix}")).await;
        let body = response.assert_status(200).json();
        assert_eq!(
            body.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["expires_in", "user"]
        );
        assert!(browser.cookies().contains(&"countersign_refresh"));
    }
}

#[actix_web::test]
async fn the_redirect_uri_follows_from_the_public_url() {
    let (service, _provider) = with_vars(&[("PUBLIC_URL", "https://shop.example")]).await;
    let mut browser = Browser::of(&service);
    let location = begin(&mut browser, "/auth/sso").await;
    assert!(
        location.contains("redirect_uri=https%3A%2F%2Fshop.example%2Fauth%2Fsso%2Fcallback"),
        "{location}"
    );
    assert_eq!(browser.cookies(), ["__Host-countersign-login"]);
}

#[actix_web::test]
async fn an_address_may_come_from_the_userinfo_endpoint() {
    let (service, provider) = trusting().await;
    provider.set_faults(Faults {
        uses_userinfo: true,
        ..Faults::default()
    });
    let pair = log_in(&service, &provider, &person("1", "ada@example.com"))
        .await
        .assert_status(200)
        .json();
    assert_eq!(
        (&pair["user"]["email"], &pair["user"]["email_verified"]),
        (&json!("ada@example.com"), &json!(true))
    );
}

#[actix_web::test]
async fn a_person_without_an_address_can_log_in_only_to_an_existing_account() {
    let (service, provider) = trusting().await;
    let nameless = json!({"sub": "1"});
    log_in(&service, &provider, &nameless)
        .await
        .assert_problem(400, "email_missing");
    log_in(
        &service,
        &provider,
        &json!({"sub": "1", "email": "not an address"}),
    )
    .await
    .assert_problem(400, "email_missing");

    log_in(&service, &provider, &person("1", "ada@example.com"))
        .await
        .assert_status(200);
    log_in(&service, &provider, &nameless).await.assert_status(200);
}

#[actix_web::test]
async fn an_unknown_provider_is_not_found() {
    let service = service().await;
    for path in [
        "/auth/google",
        "/auth/google/callback?state=x&code=y",
        "/auth/%ff",
    ] {
        service.anonymous().get(path).await.assert_status(404);
    }
    service
        .anonymous()
        .get("/auth/google")
        .await
        .assert_problem(404, "provider_not_found");
}

#[actix_web::test]
async fn a_provider_cannot_hide_other_routes() {
    let service = service().await;
    for path in [
        "/auth/login",
        "/auth/refresh",
        "/auth/logout",
        "/auth/logout-all",
        "/auth/verify",
        "/auth/register",
        "/auth/password",
    ] {
        service.anonymous().get(path).await.assert_status(405);
    }
}

#[actix_web::test]
async fn a_disabled_user_cannot_log_in() {
    let (service, provider) = trusting().await;
    let ada = person("1", "ada@example.com");
    let pair = log_in(&service, &provider, &ada).await.json();
    let admin = crate::logged_in_admin(&service).await;
    let path = format!("/admin/users/{}", pair["user"]["id"].as_str().unwrap());
    admin
        .patch(&path, json!({"disabled": true}))
        .await
        .assert_status(200);

    let mut browser = Browser::of(&service);
    log_in_from(&mut browser, &provider, &ada)
        .await
        .assert_problem(403, "account_disabled");
    assert!(browser.cookies().is_empty(), "{:?}", browser.cookies());
}
