//! Several replicas on one database: one of them changes the keys, and all follow.

use chrono::TimeDelta;
use futures_util::future::join;
use test_kit::TestService;
use uuid::Uuid;

use super::{ACTIVE, NEXT, ROTATIONS, eventually_active, in_state, kid, rotate};
use crate::database::{number, text};
use crate::verifiers::{VerifiersFixture, eventually, published_kids};
use crate::{ADMIN, is_long, logged_in_admin, login, replica, service, with_token};

#[actix_web::test]
async fn of_two_replicas_one_rotates_and_both_sign_with_the_new_key() {
    let rounds = if is_long() { 20 } else { 6 };
    let fixture = VerifiersFixture::new().await;
    let (one, instance) = (&fixture.users, Uuid::new_v4());
    let other = fixture.replica().await;
    for round in 1..=rounds {
        let next = text(one, NEXT).await;
        one.issuer().clock().advance(TimeDelta::days(30));
        let kids = [next.as_str()];
        // Each report makes its replica try.
        join(
            fixture.report(one, instance, &kids),
            fixture.report(&other, instance, &kids),
        )
        .await;
        eventually_active(one, &next).await;
        assert_eq!(number(one, ROTATIONS).await, round);

        let new_next = text(one, NEXT).await;
        for replica in [one, &other] {
            eventually("the replica publishes the new next key", async || {
                published_kids(replica).await.contains(&new_next)
            })
            .await;
            assert_eq!(logged_in_everywhere(replica, &[one, &other]).await, next);
        }
    }
    assert_eq!(number(one, ROTATIONS).await, rounds);
}

#[actix_web::test]
async fn of_many_concurrent_requests_at_two_replicas_each_rotates_once_at_most() {
    let service = service().await;
    let other = replica(&service, &[]);
    let root = logged_in_admin(&service).await;
    let at_other = root.at(other.anonymous());
    for _ in 0..10 {
        let before = number(&service, ROTATIONS).await;
        let (one, another) = join(rotate(&root), rotate(&at_other)).await;
        for response in [one, another] {
            assert!([200, 409].contains(&response.status), "{}", response.body);
        }
        let count = number(&service, ROTATIONS).await;
        assert!(count <= before + 2, "{before} {count}");
        let keys = root.get("/admin/keys").await.json();
        let states = ["active", "next"].map(|state| in_state(&keys, state).len());
        assert_eq!(states, [1, 1]);
    }
}

#[actix_web::test]
async fn a_replica_that_still_runs_signs_with_the_algorithm_of_a_newer_one() {
    let service = service().await;
    logged_in_admin(&service).await;
    let newer = replica(&service, &[("SIGNING_ALG", "ES256")]);
    logged_in_admin(&newer).await;
    let active = text(&service, ACTIVE).await;
    eventually("both publish the same keys", async || {
        published_kids(&service).await == published_kids(&newer).await
    })
    .await;
    for replica in [&service, &newer] {
        assert_eq!(logged_in_everywhere(replica, &[&service, &newer]).await, active);
    }
}

/// Logs the admin in at this replica, and requires that all replicas accept the token. Returns the id of the key that signed it.
async fn logged_in_everywhere(replica: &TestService, all: &[&TestService]) -> String {
    let pair = login(replica, ADMIN.0, ADMIN.1).await.assert_status(200).json();
    for verifier in all {
        with_token(verifier, &pair)
            .get("/users/me")
            .await
            .assert_status(200);
    }
    kid(&pair)
}
