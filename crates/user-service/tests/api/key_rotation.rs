//! Rotating the signing keys.

mod emergency;
mod replicas;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use futures_util::future::join;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse, TestService};
use uuid::Uuid;

use crate::database::{execute, number, text};
use crate::verifiers::{INVENTORY, ORDERS, VerifiersFixture, eventually, published_kids};
use crate::{
    logged_in_ada, logged_in_admin, refreshed, seconds, service, service_with_shared_secret, with_token,
};

const ROTATIONS: &str = "select count(*) from audit_log where event = 'keys_rotated' and outcome = 'success'";
const ACTIVE: &str = "select kid from signing_keys where state = 'active'";
const NEXT: &str = "select kid from signing_keys where state = 'next'";
const NEWEST_DETAIL: &str =
    "select detail from audit_log where event = 'keys_rotated' order by id desc limit 1";

async fn rotate(admin: &Client) -> TestResponse {
    admin.post("/admin/keys/rotate", json!({})).await
}

async fn rotate_in_emergency(admin: &Client) -> TestResponse {
    admin.post("/admin/keys/rotate", json!({"emergency": true})).await
}

/// The id of the key that signed an access token.
fn kid(pair: &Value) -> String {
    let token = pair["access_token"].as_str().unwrap();
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The id of the active key.
fn active_kid(keys: &Value) -> String {
    in_state(keys, "active").concat()
}

/// The ids of the listed keys in this state.
fn in_state(keys: &Value, state: &str) -> Vec<String> {
    let keys = keys["items"].as_array().unwrap().iter();
    keys.filter(|key| key["state"] == state)
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

async fn eventually_active(service: &TestService, kid: &str) {
    eventually("the next key is active", async || {
        text(service, ACTIVE).await == kid
    })
    .await;
}

#[actix_web::test]
async fn a_rotation_makes_the_next_key_active_and_old_tokens_stay_valid() {
    let service = service().await;
    let (pair, ada) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let before = root.get("/admin/keys").await.json();
    let (active, next) = (in_state(&before, "active"), in_state(&before, "next"));
    assert_eq!(kid(&pair), active[0]);

    let after = rotate(&root).await.assert_status(200).json();
    assert_eq!(root.get("/admin/keys").await.json(), after);
    assert_eq!(in_state(&after, "active"), next);
    assert_eq!(in_state(&after, "retiring"), active);
    let new_next = in_state(&after, "next");
    assert!(new_next.len() == 1 && new_next != next && new_next != active);
    let mut published = published_kids(&service).await;
    published.sort();
    let mut expected = [active.as_slice(), &next, &new_next].concat();
    expected.sort();
    assert_eq!(published, expected);

    ada.get("/users/me").await.assert_status(200);
    let refreshed = refreshed(&service, &pair).await;
    assert_eq!(kid(&refreshed), next[0]);
    with_token(&service, &refreshed)
        .get("/users/me")
        .await
        .assert_status(200);

    let root = logged_in_admin(&service).await;
    let records = root.get("/admin/audit-log?event=keys_rotated").await.json();
    let record = &records["items"][0];
    let me = root.get("/users/me").await.json();
    assert_eq!(
        (&record["actor_id"], &record["subject_id"]),
        (&me["id"], &json!(null))
    );
    assert_eq!(record["detail"], format!("by hand: {} → {}", active[0], next[0]));
}

#[actix_web::test]
async fn a_retired_key_is_published_until_its_last_token_has_expired() {
    let service = service().await;
    rotate(&logged_in_admin(&service).await).await.assert_status(200);
    // Five minutes for replicas to load the keys, the lifetime of a token, and the leeway of a verifier.
    service.issuer().clock().advance(seconds(300 + 900 + 59));
    assert_eq!(published_kids(&service).await.len(), 3);
    service.issuer().clock().advance(seconds(1));
    assert_eq!(published_kids(&service).await.len(), 2);
}

#[actix_web::test]
async fn only_an_admin_rotates_keys_and_only_keys_that_exist() {
    let service = service().await;
    let (_, ada) = logged_in_ada(&service).await;
    rotate(&ada).await.assert_problem(403, "forbidden");
    let root = logged_in_admin(&service).await;
    for invalid in [
        json!({"emergency": null}),
        json!({"emergency": "yes"}),
        json!({"urgent": true}),
    ] {
        root.post("/admin/keys/rotate", invalid)
            .await
            .assert_problem(422, "invalid_body");
    }
    assert_eq!(number(&service, ROTATIONS).await, 0);
    let post = actix_web::http::Method::POST;
    root.send(&post, "/admin/keys/rotate", |request| request)
        .await
        .assert_status(200);
    assert_eq!(number(&service, ROTATIONS).await, 1);

    let service = service_with_shared_secret().await;
    for rotated in [
        rotate(&service.admin()).await,
        rotate_in_emergency(&service.admin()).await,
    ] {
        rotated.assert_problem(409, "shared_secret");
    }
    let body = json!({"instance": Uuid::nil(), "kids": ["a"]});
    service
        .service(ORDERS)
        .post("/internal/keys/held", body)
        .await
        .assert_status(204);
}

#[actix_web::test]
async fn at_most_eight_keys_are_retiring_except_in_an_emergency() {
    let service = service().await;
    let root = logged_in_admin(&service).await;
    for _ in 0..8 {
        rotate(&root).await.assert_status(200);
    }
    service.issuer().clock().advance(seconds(60));
    let refused = rotate(&root).await;
    refused.assert_problem(409, "too_many_keys");
    assert_eq!(number(&service, ROTATIONS).await, 8);
    let retry_after: i64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(retry_after, 300 + 900 + 60 - 60 + 1);

    service.issuer().clock().advance(seconds(retry_after));
    let root = logged_in_admin(&service).await;
    rotate(&root).await.assert_status(200);
    for _ in 0..7 {
        rotate(&root).await.assert_status(200);
    }
    rotate(&root).await.assert_problem(409, "too_many_keys");
    let keys = rotate_in_emergency(&root).await.assert_status(200).json();
    assert_eq!(keys["items"].as_array().unwrap().len(), 2);
}

#[actix_web::test]
async fn a_verifier_that_never_reports_delays_a_rotation_until_the_deadline_and_is_named() {
    let fixture = VerifiersFixture::new().await;
    let (users, instance) = (&fixture.users, Uuid::new_v4());
    let _stream = fixture.open_stream(instance).await;
    let (active, next) = (text(users, ACTIVE).await, text(users, NEXT).await);
    let root = logged_in_admin(users).await;
    let waiting = rotate(&root).await.assert_status(200).json();
    assert_eq!(active_kid(&waiting), active);

    // A further request changes nothing, in particular not the deadline.
    users.issuer().clock().advance(seconds(599));
    assert_eq!(rotate(&root).await.assert_status(200).json(), waiting);
    assert_eq!(number(users, ROTATIONS).await, 0);
    users.issuer().clock().advance(seconds(1));
    let rotated = rotate(&root).await.assert_status(200).json();
    assert_eq!(active_kid(&rotated), next);
    assert_eq!(number(users, ROTATIONS).await, 1);
    let detail = format!("by hand: {active} → {next}; not held by order-service {instance}");
    assert_eq!(text(users, NEWEST_DETAIL).await, detail);
}

#[actix_web::test]
async fn a_rotation_is_completed_as_soon_as_every_verifier_has_reported() {
    let fixture = VerifiersFixture::new().await;
    let (users, instance, other) = (&fixture.users, Uuid::new_v4(), Uuid::new_v4());
    let _streams = join(fixture.open_stream(instance), fixture.open_stream(other)).await;
    let (active, next) = (text(users, ACTIVE).await, text(users, NEXT).await);
    rotate(&logged_in_admin(users).await).await.assert_status(200);

    fixture.report(users, instance, &[&active, &next]).await;
    fixture.report(users, other, &[&active]).await;
    let root = logged_in_admin(users).await;
    let waiting = rotate(&root).await.assert_status(200).json();
    assert_eq!(active_kid(&waiting), active);
    fixture.report(users, other, &[&next]).await;
    eventually_active(users, &next).await;

    let me = root.get("/users/me").await.json();
    let records = root.get("/admin/audit-log?event=keys_rotated").await.json();
    assert_eq!(records["items"].as_array().unwrap().len(), 1);
    assert_eq!(records["items"][0]["actor_id"], me["id"]);
    assert_eq!(
        records["items"][0]["detail"],
        format!("by hand: {active} → {next}")
    );
}

#[actix_web::test]
async fn a_requested_rotation_survives_a_restart() {
    let fixture = VerifiersFixture::new().await;
    let instance = Uuid::new_v4();
    fixture.report(&fixture.users, instance, &[]).await;
    let next = text(&fixture.users, NEXT).await;
    let root = logged_in_admin(&fixture.users).await;
    let waiting = rotate(&root).await.assert_status(200).json();

    let fixture = fixture.restart().await;
    let root = root.at(fixture.users.anonymous());
    assert_eq!(root.get("/admin/keys").await.assert_status(200).json(), waiting);
    fixture.report(&fixture.users, instance, &[&next]).await;
    eventually_active(&fixture.users, &next).await;
}

#[actix_web::test]
async fn a_verifier_without_a_stream_counts_for_three_minutes_after_its_report() {
    let fixture = VerifiersFixture::new().await;
    let users = &fixture.users;
    fixture.report(users, Uuid::new_v4(), &["another"]).await;
    let (active, next) = (text(users, ACTIVE).await, text(users, NEXT).await);
    let root = logged_in_admin(users).await;
    for (advance, expected) in [(180, &active), (1, &next)] {
        users.issuer().clock().advance(seconds(advance));
        let keys = rotate(&root).await.assert_status(200).json();
        assert_eq!(&active_kid(&keys), expected);
    }
}

#[actix_web::test]
async fn a_service_can_not_report_for_another_one() {
    let fixture = VerifiersFixture::new().await;
    let (users, instance) = (&fixture.users, Uuid::new_v4());
    let _stream = fixture.open_stream(instance).await;
    let (active, next) = (text(users, ACTIVE).await, text(users, NEXT).await);
    let body = json!({"instance": instance, "kids": [next]});
    let inventory = fixture.service(INVENTORY).await;
    inventory
        .post("/internal/keys/held", body)
        .await
        .assert_status(204);
    let root = logged_in_admin(users).await;
    let waiting = rotate(&root).await.assert_status(200).json();
    assert_eq!(active_kid(&waiting), active);
    for (instance, kids) in [
        (json!("x"), json!([])),
        (json!(instance), json!([""])),
        (json!(instance), json!(["a\nb"])),
        (json!(instance), json!(vec!["a"; 33])),
    ] {
        let body = json!({"instance": instance, "kids": kids});
        inventory
            .post("/internal/keys/held", body)
            .await
            .assert_problem(422, "invalid_body");
    }
}

#[actix_web::test]
async fn a_key_is_rotated_when_it_is_thirty_days_old() {
    let fixture = VerifiersFixture::new().await;
    let (users, instance) = (&fixture.users, Uuid::new_v4());
    let (active, next) = (text(users, ACTIVE).await, text(users, NEXT).await);
    let almost = TimeDelta::days(30) - seconds(1);
    users.issuer().clock().advance(almost);
    fixture.report(users, instance, &[&active]).await;
    let root = logged_in_admin(users).await;
    assert_eq!(text(users, ACTIVE).await, active);
    assert_eq!(
        root.get("/admin/audit-log?event=keys_rotated").await.json()["items"],
        json!([])
    );

    // A report also makes the service check whether a rotation is due. This one says that a verifier lacks the next key.
    users.issuer().clock().advance(seconds(1));
    fixture.report(users, instance, &[&active]).await;
    let requested = "select count(*) from signing_keys where rotation_reason = 'scheduled'";
    eventually("a rotation is requested", async || {
        number(users, requested).await == 1
    })
    .await;
    assert_eq!(text(users, ACTIVE).await, active);
    fixture.report(users, instance, &[&next]).await;
    eventually_active(users, &next).await;
    assert_eq!(
        text(users, NEWEST_DETAIL).await,
        format!("scheduled: {active} → {next}")
    );
    assert_eq!(
        number(
            users,
            "select count(*) from audit_log where event = 'keys_rotated' and actor_id is null"
        )
        .await,
        1
    );
}

/// A sealed key opens only in its own row.
const BREAK_NEXT_KEY: &str = "
    update signing_keys set sealed_private = (select sealed_private from signing_keys where state = 'active')
    where state = 'next'";

#[actix_web::test]
async fn a_key_that_can_not_be_decrypted_never_becomes_active_and_an_emergency_replaces_it() {
    let service = service().await;
    let (pair, _) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    execute(&service, BREAK_NEXT_KEY).await;
    let broken = text(&service, NEXT).await;
    rotate(&root).await.assert_problem(500, "internal");
    assert_eq!(text(&service, ACTIVE).await, kid(&pair));
    let pair = refreshed(&service, &pair).await;
    assert_eq!(kid(&pair), text(&service, ACTIVE).await);

    let after = rotate_in_emergency(&root).await.assert_status(200).json();
    assert!(!after.to_string().contains(&broken), "{after}");
    let pair = refreshed(&service, &pair).await;
    assert_eq!(kid(&pair), active_kid(&after));
    let ada = with_token(&service, &pair);
    ada.get("/users/me").await.assert_status(200);
}

#[actix_web::test]
async fn a_replica_that_can_not_decrypt_the_active_key_signs_with_the_old_one_and_is_not_ready() {
    let service = service().await;
    let (before, _) = logged_in_ada(&service).await;
    let root = logged_in_admin(&service).await;
    let ready = async || service.anonymous().get("/health/ready").await;
    ready().await.assert_status(200);

    // As if a replica with another key encryption key had rotated the keys.
    execute(&service, BREAK_NEXT_KEY).await;
    let retire = "update signing_keys set state = 'retiring', not_after = created_at where state = 'active'";
    execute(&service, retire).await;
    let activate = "update signing_keys set state = 'active', activated_at = created_at where state = 'next'";
    execute(&service, activate).await;
    // It loads the keys first.
    rotate(&root).await.assert_problem(500, "internal");

    let answer = ready().await;
    answer.assert_problem(503, "not_ready");
    assert_eq!(answer.json()["detail"], "Not ready: signing key.");
    assert_eq!(kid(&refreshed(&service, &before).await), kid(&before));
}
