//! Registration.

use serde_json::json;

use crate::{PASSWORD, login, register, service};

#[actix_web::test]
async fn a_registered_user_can_log_in() {
    let service = service().await;
    let body = json!({"email": " Ada@Example.com ", "password": PASSWORD, "name": "Ada Lovelace"});
    let response = service.anonymous().post("/auth/register", body).await;
    response.assert(
        201,
        json!({"email": "Ada@Example.com", "email_verified": false, "name": "Ada Lovelace", "roles": ["user"], "disabled": false}),
    );
    let members: Vec<_> = response.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        members,
        [
            "created_at",
            "disabled",
            "email",
            "email_verified",
            "id",
            "name",
            "roles"
        ]
    );
    login(&service, "ada@example.COM", PASSWORD)
        .await
        .assert(200, json!({"user": response.json()}));
}

#[actix_web::test]
async fn an_address_is_taken_in_every_case_and_unicode_form() {
    let service = service().await;
    register(&service, "é@example.com").await;
    for email in [
        "é@example.com",
        "É@EXAMPLE.COM",
        "e\u{301}@example.com",
        "\té@example.com\n",
    ] {
        let body = json!({"email": email, "password": PASSWORD, "name": "Eve"});
        service
            .anonymous()
            .post("/auth/register", body)
            .await
            .assert_problem(409, "email_taken");
    }
}

#[actix_web::test]
async fn an_address_is_compared_by_case_folding_and_the_ascii_form_of_its_domain() {
    let service = service().await;
    register(&service, "straße@bücher.example").await;
    for spelling in [
        "STRASSE@xn--bcher-kva.example",
        "straße@BÜCHER.example",
        "ſtrasse@Bu\u{308}cher.example",
    ] {
        let body = json!({"email": spelling, "password": PASSWORD, "name": "Eve"});
        service
            .anonymous()
            .post("/auth/register", body)
            .await
            .assert_problem(409, "email_taken");
        login(&service, spelling, PASSWORD)
            .await
            .assert(200, json!({"user": {"email": "straße@bücher.example"}}));
    }
}

#[actix_web::test]
async fn addresses_that_only_look_alike_belong_to_different_users() {
    let service = service().await;
    for (one, other) in [
        ("ada@github.com", "ada@gıthub.com"),
        ("kim@example.com", "kım@example.com"),
        ("ada@straße.de", "ada@strasse.de"),
    ] {
        register(&service, one).await;
        login(&service, other, PASSWORD)
            .await
            .assert_problem(401, "invalid_credentials");
        register(&service, other).await;
        login(&service, other, PASSWORD)
            .await
            .assert(200, json!({"user": {"email": other}}));
    }
}

#[actix_web::test]
async fn an_invalid_domain_is_refused_at_registration_and_unknown_at_login() {
    let service = service().await;
    for email in [
        "ada@xn--a.example",
        "ada@ex_ample.com",
        "ada@-example.com",
        "ada@\u{301}a.example",
    ] {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        service
            .anonymous()
            .post("/auth/register", body)
            .await
            .assert_invalid("email");
        login(&service, email, PASSWORD)
            .await
            .assert_problem(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn one_of_many_concurrent_registrations_of_one_address_succeeds() {
    let service = service().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let asked = (0..20).map(|_| service.anonymous().post("/auth/register", body.clone()));
    let responses = futures_util::future::join_all(asked).await;
    assert_eq!(
        responses.iter().filter(|response| response.status == 201).count(),
        1
    );
    for response in responses.iter().filter(|response| response.status != 201) {
        response.assert_problem(409, "email_taken");
    }
}

#[actix_web::test]
async fn an_invalid_field_is_named_in_the_error() {
    let service = service().await;
    for (field, value) in [
        ("email", json!("")),
        ("email", json!("ada")),
        ("email", json!("ada@exam ple.com")),
        ("email", json!("a\u{0}da@example.com")),
        ("email", json!(7)),
        ("password", json!("1234567")),
        ("password", json!("x".repeat(129))),
        ("password", json!("ADA@example.com")),
        ("password", json!("ada lovelace")),
        ("password", json!(null)),
        ("name", json!("")),
        ("name", json!("x".repeat(101))),
        ("name", json!("a\nb")),
        ("role", json!("admin")),
        ("roles", json!(["admin"])),
    ] {
        let mut body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada Lovelace"});
        body[field] = value;
        let response = service.anonymous().post("/auth/register", body).await;
        response.assert_invalid(field);
        assert!(
            !response.body.contains("1234567"),
            "the error repeats the password: {}",
            response.body
        );
    }
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
}

#[actix_web::test]
async fn a_password_may_contain_any_characters_and_all_are_compared() {
    let service = service().await;
    let long = format!("{}x", "ä".repeat(127));
    for (index, password) in [" \0\t\n\u{1f}🙂  ", "        ", &long].into_iter().enumerate() {
        let email = format!("ada{index}@example.com");
        let body = json!({"email": email, "password": password, "name": "Ada"});
        service
            .anonymous()
            .post("/auth/register", body)
            .await
            .assert_status(201);
        login(&service, &email, password).await.assert_status(200);
        let mut shorter = password.to_owned();
        shorter.pop();
        login(&service, &email, &shorter)
            .await
            .assert_problem(401, "invalid_credentials");
    }
}

#[actix_web::test]
async fn canonically_equivalent_passwords_are_the_same() {
    let service = service().await;
    let body = json!({"email": "ada@example.com", "password": "cafe\u{301} cafe\u{301}", "name": "Ada"});
    service
        .anonymous()
        .post("/auth/register", body)
        .await
        .assert_status(201);
    login(&service, "ada@example.com", "caf\u{e9} caf\u{e9}")
        .await
        .assert_status(200);
}
