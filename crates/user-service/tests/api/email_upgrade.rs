//! A database from before addresses were compared by case folding and IDNA.

use std::sync::Arc;

use auth::testing::Issuer;
use chrono::{DateTime, Utc};
use db::{Db, Migrations, on};
use serde_json::json;
use sqlx::migrate::Migrator;
use test_kit::{TestDatabase, TestService};
use user_service::NAME;
use uuid::Uuid;

use crate::database::{MIGRATIONS, number, text};
use crate::{ADMIN, PASSWORD, logged_in_admin, login, register, replica, restart, run, service};

/// The first migration of the new comparison.
const EMAIL_COMPARISON: i64 = 5;

/// Accounts of the old service: the address, and the key by which it was compared then.
const OLD_ACCOUNTS: [(&str, &str); 6] = [
    ("Ada@Example.com", "ada@example.com"),
    ("Grace@straße.de", "grace@strasse.de"),
    ("gıthub@example.com", "github@example.com"),
    ("me@My_Host", "me@my_host"),
    // These two share an address now.
    ("Bob@Bücher.example", "bob@bücher.example"),
    ("bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example"),
];

fn old_migrations(current: &Migrator) -> Migrator {
    let old = current
        .iter()
        .filter(|migration| migration.version < EMAIL_COMPARISON);
    Migrator::with_migrations(old.cloned().collect())
}

/// A database as the old service left it. Each account has the password [`PASSWORD`].
async fn old_database() -> Arc<TestDatabase> {
    let hash = {
        let service = service().await;
        register(&service, "ada@example.com").await;
        text(
            &service,
            "select password_hash from users where email_key = 'ada@example.com'",
        )
        .await
    };

    let database = TestDatabase::new().await;
    let migrations = Migrations {
        sqlite: old_migrations(&MIGRATIONS.sqlite),
        postgres: old_migrations(&MIGRATIONS.postgres),
    };
    let db = Db::open(&database.url(), &migrations).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for (number, (email, key)) in (1..).zip(OLD_ACCOUNTS) {
        const SQL: &str = "
            insert into users (id, email, email_key, name, password_hash, roles, created_at, updated_at)
            values ($1, $2, $3, 'Ada', $4, 'user', $5, $5)";
        on!(tx, conn => sqlx::query(SQL)
            .bind(Uuid::from_u128(number))
            .bind(email)
            .bind(key)
            .bind(&hash)
            .bind(DateTime::<Utc>::UNIX_EPOCH)
            .execute(conn)
            .await
            .map(drop))
        .unwrap();
    }
    tx.commit().await.unwrap();
    db.close().await;
    Arc::new(database)
}

async fn upgraded() -> TestService {
    upgraded_with(&[]).await
}

async fn upgraded_with(vars: &[(&str, &str)]) -> TestService {
    let service = TestService::spawn_on(Issuer::new(NAME), old_database().await, run(vars));
    service.anonymous().get("/health/ready").await.assert_status(200);
    service
}

async fn assert_logs_in(service: &TestService, typed: &str, shown: &str) {
    login(service, typed, PASSWORD)
        .await
        .assert(200, json!({"user": {"email": shown}}));
}

async fn assert_is_taken(service: &TestService, email: &str) {
    let body = json!({"email": email, "password": PASSWORD, "name": "Eve"});
    service
        .anonymous()
        .post("/auth/register", body)
        .await
        .assert_problem(409, "email_taken");
}

#[actix_web::test]
async fn an_old_account_is_found_by_every_spelling_of_its_address() {
    let service = upgraded().await;
    assert_logs_in(&service, "ada@example.com", "Ada@Example.com").await;
    assert_logs_in(&service, "ADA@ＥＸＡＭＰＬＥ.com", "Ada@Example.com").await;
    assert_logs_in(&service, "grace@xn--strae-oqa.de", "Grace@straße.de").await;
    assert_logs_in(&service, "me@my_host", "me@My_Host").await;
    for (email, _) in OLD_ACCOUNTS {
        assert_logs_in(&service, email, email).await;
    }
}

#[actix_web::test]
async fn an_address_that_was_joined_with_another_is_free_after_the_upgrade() {
    let service = upgraded().await;
    for (other, old) in [
        ("github@example.com", "gıthub@example.com"),
        ("grace@strasse.de", "Grace@straße.de"),
    ] {
        login(&service, other, PASSWORD)
            .await
            .assert_problem(401, "invalid_credentials");
        register(&service, other).await;
        assert_logs_in(&service, other, other).await;
        assert_logs_in(&service, old, old).await;
    }
}

#[actix_web::test]
async fn accounts_that_share_an_address_keep_their_own_spelling_and_get_no_third() {
    let service = upgraded().await;
    for _ in 0..2 {
        assert_logs_in(&service, "bob@bücher.example", "Bob@Bücher.example").await;
        assert_logs_in(&service, "BOB@BÜCHER.example", "Bob@Bücher.example").await;
        assert_logs_in(&service, "Bob@XN--bcher-kva.example", "bob@xn--bcher-kva.example").await;
    }

    // A spelling that belonged to neither account authenticates neither.
    let third = "bob@ｂücher.example";
    login(&service, third, PASSWORD)
        .await
        .assert_problem(401, "invalid_credentials");
    for email in [third, "bob@bücher.example", "bob@xn--bcher-kva.example"] {
        assert_is_taken(&service, email).await;
    }

    let count = "select count(*) from users where comparison_key = 'bob@xn--bcher-kva.example'";
    assert_eq!(number(&service, count).await, 2);
}

#[actix_web::test]
async fn the_account_that_remains_of_two_gets_the_address() {
    let service = upgraded().await;
    let found = logged_in_admin(&service)
        .await
        .get("/admin/users?q=xn--bcher")
        .await
        .json();
    let id = found["items"][0]["id"].as_str().unwrap().to_owned();
    logged_in_admin(&service)
        .await
        .delete(&format!("/admin/users/{id}"))
        .await
        .assert_status(204);

    assert_logs_in(&service, "bob@xn--bcher-kva.example", "Bob@Bücher.example").await;
    assert_is_taken(&service, "bob@xn--bcher-kva.example").await;
    let service = restart(service, &[]).await;
    assert_logs_in(&service, "bob@xn--bcher-kva.example", "Bob@Bücher.example").await;
    let old = "select count(*) from users where email_key <> comparison_key";
    assert_eq!(number(&service, old).await, 0);
}

#[actix_web::test]
async fn only_the_own_spelling_of_a_shared_address_makes_its_account_the_admin() {
    let service = upgraded_with(&[("ADMIN_EMAIL", "bob@ｂücher.example")]).await;
    let admins = "select count(*) from users where roles like '%admin%'";
    assert_eq!(number(&service, admins).await, 0);

    let service = restart(service, &[("ADMIN_EMAIL", "bob@bücher.example")]).await;
    login(&service, "bob@bücher.example", ADMIN.1).await.assert(
        200,
        json!({"user": {"email": "Bob@Bücher.example", "roles": ["user", "admin"]}}),
    );
    assert_logs_in(&service, "bob@xn--bcher-kva.example", "bob@xn--bcher-kva.example").await;
}

#[actix_web::test]
async fn replicas_upgrade_one_database_at_the_same_time() {
    let first = TestService::spawn_on(Issuer::new(NAME), old_database().await, run(&[]));
    let others = [replica(&first, &[]), replica(&first, &[])];
    for service in others.iter().chain([&first]) {
        assert_logs_in(service, "grace@xn--strae-oqa.de", "Grace@straße.de").await;
        assert_logs_in(service, "bob@bücher.example", "Bob@Bücher.example").await;
    }
    let unfinished = "select count(*) from users where comparison_key is null";
    assert_eq!(number(&first, unfinished).await, 0);
}
