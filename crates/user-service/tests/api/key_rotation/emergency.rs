//! Rotating the signing keys in an emergency.

use auth::{AuthError, Principal};
use uuid::Uuid;

use super::{ACTIVE, NEWEST_DETAIL, NEXT, ROTATIONS, active_kid, in_state, kid, rotate, rotate_in_emergency};
use crate::database::{number, text};
use crate::verifiers::{INVENTORY, ORDERS, VerifiersFixture, eventually, published_kids};
use crate::{logged_in, logged_in_ada, logged_in_admin, refreshed};

#[actix_web::test]
async fn an_emergency_revokes_all_tokens_of_users_and_services_and_new_ones_work() {
    let fixture = VerifiersFixture::new().await;
    let users = &fixture.users;
    let verifier = fixture.verifier(INVENTORY, users).await;
    let (pair, ada) = logged_in_ada(users).await;
    let root = logged_in_admin(users).await;
    // A key that is retiring is discarded, too.
    rotate(&root).await.assert_status(200);
    eventually("the rotation is done", async || {
        number(users, ROTATIONS).await == 1
    })
    .await;
    let newer = logged_in(users, "ada@example.com").await;
    let service_token = fixture.service_token(ORDERS, INVENTORY).await;
    let tokens = [&pair, &newer].map(|pair| pair["access_token"].as_str().unwrap().to_owned());
    let tokens = [tokens.as_slice(), std::slice::from_ref(&service_token)].concat();
    assert_ne!(kid(&pair), kid(&newer));
    for token in &tokens {
        verifier.verify(token).await.unwrap();
    }

    let next = text(users, NEXT).await;
    let keys = rotate_in_emergency(&root).await.assert_status(200).json();
    assert_eq!(
        (in_state(&keys, "active"), in_state(&keys, "retiring")),
        (vec![next.clone()], vec![])
    );
    assert_eq!(published_kids(users).await.len(), 2);
    ada.get("/users/me").await.assert_problem(401, "token_revoked");
    root.get("/admin/keys").await.assert_problem(401, "token_revoked");
    for token in &tokens {
        eventually("the token is refused", async || {
            verifier.verify(token).await.is_err()
        })
        .await;
    }
    // The signature counts first, if the verifier has the new keys already.
    let refused = verifier.verify(&service_token).await;
    assert!(
        matches!(refused, Err(AuthError::Revoked | AuthError::InvalidToken(_))),
        "{refused:?}"
    );
    let revoked = text(users, NEWEST_DETAIL).await;
    assert!(
        revoked.starts_with("emergency: ") && revoked.ends_with(&format!(" → {next}")),
        "{revoked}"
    );

    let refreshed = refreshed(users, &newer).await;
    assert_eq!(kid(&refreshed), next);
    let verified = verifier.verify(refreshed["access_token"].as_str().unwrap()).await;
    assert!(matches!(verified, Ok(Principal::User(_))), "{verified:?}");
    let verified = verifier
        .verify(fixture.service_token(ORDERS, INVENTORY).await)
        .await;
    assert!(matches!(verified, Ok(Principal::Service(_))), "{verified:?}");
}

#[actix_web::test]
async fn an_emergency_ends_a_waiting_rotation_and_a_second_one_discards_the_key_that_was_next() {
    let fixture = VerifiersFixture::new().await;
    let users = &fixture.users;
    fixture.report(users, Uuid::new_v4(), &[]).await;
    let (active, next) = (text(users, ACTIVE).await, text(users, NEXT).await);
    let root = logged_in_admin(users).await;
    let waiting = rotate(&root).await.assert_status(200).json();
    assert_eq!(active_kid(&waiting), active);

    let first = rotate_in_emergency(&root).await.assert_status(200).json();
    assert_eq!(active_kid(&first), next);
    let requested = "select count(*) from signing_keys where rotation_requested_at is not null";
    assert_eq!(number(users, requested).await, 0);
    let root = logged_in_admin(users).await;
    let second = rotate_in_emergency(&root).await.assert_status(200).json();
    assert_eq!(in_state(&second, "active"), in_state(&first, "next"));
    for discarded in [active, next] {
        assert!(!published_kids(users).await.contains(&discarded));
        let sql = format!("select count(*) from revocations where kind = 'key' and kid = '{discarded}'");
        assert_eq!(number(users, &sql).await, 1);
    }
    let root = logged_in_admin(users).await;
    root.get("/admin/keys").await.assert_status(200);
}
