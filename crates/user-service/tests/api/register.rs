//! Becoming a user.

use serde_json::json;

use crate::{PASSWORD, login, register, service};

#[actix_web::test]
async fn whoever_registers_is_a_user_and_can_log_in() {
    let service = service().await;
    let body = json!({"email": " Ada@Example.com ", "password": PASSWORD, "name": "Ada Lovelace"});
    let answer = service.anonymous().post("/auth/register", body).await;
    answer.assert(
        201,
        json!({"email": "Ada@Example.com", "email_verified": false, "name": "Ada Lovelace", "roles": ["user"], "disabled": false}),
    );
    let members: Vec<_> = answer.json().as_object().unwrap().keys().cloned().collect();
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
        .assert(200, json!({"user": answer.json()}));
}

#[actix_web::test]
async fn an_address_is_taken_once_whatever_its_capitals() {
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
async fn of_many_who_register_one_address_at_once_one_does() {
    let service = service().await;
    let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
    let asked = (0..20).map(|_| service.anonymous().post("/auth/register", body.clone()));
    let answers = futures_util::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.assert_problem(409, "email_taken");
    }
}

#[actix_web::test]
async fn what_breaks_a_rule_is_refused_by_name_of_its_field() {
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
        let answer = service.anonymous().post("/auth/register", body).await;
        answer.assert_invalid(field);
        assert!(
            !answer.body.contains("1234567"),
            "no password is echoed: {}",
            answer.body
        );
    }
    login(&service, "ada@example.com", PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
}

#[actix_web::test]
async fn a_password_may_have_any_characters_and_all_of_them_count() {
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
async fn one_password_has_many_spellings_in_unicode_and_all_are_right() {
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
