//! A verifier whose feed is silent.

use auth::testing::{Issuer, Publisher};
use auth::{AuthError, Keys, Policy, Profile, Revocable, StalePolicy};
use chrono::TimeDelta;

use crate::{Fixture, eventually};

#[actix_web::test]
async fn while_the_feed_is_stale_users_go_on_and_roles_are_confirmed() {
    let fixture = Fixture::start().await;
    let (ada, admin) = (
        fixture.issuer.as_user().scope("orders:write"),
        fixture.issuer.as_admin(),
    );
    assert!(fixture.is_admin(&admin).await);
    assert_eq!(fixture.publisher.introspections(), 0);

    fixture.make_stale();
    fixture.publisher.set_active(Some(true));
    let user = fixture.verify(&ada).await.unwrap();
    assert!(user.user().unwrap().has_scope("orders:write"));
    assert_eq!(
        fixture.publisher.introspections(),
        0,
        "nothing needs to be confirmed"
    );
    assert!(fixture.is_admin(&admin).await);
    assert_eq!(fixture.publisher.introspections(), 1);

    fixture.publisher.set_active(Some(false));
    assert_eq!(fixture.verify(&admin).await, Err(AuthError::Revoked));

    fixture.publisher.recover();
    fixture.publisher.send_head();
    eventually("the feed is heard again", || {
        let principal = fixture.verifier.verify_with_current_keys(&admin.token());
        principal.unwrap().user().unwrap().is_admin()
    })
    .await;
    let asked = fixture.publisher.introspections();
    assert!(fixture.is_admin(&admin).await);
    assert_eq!(fixture.publisher.introspections(), asked);
}

#[actix_web::test]
async fn without_confirmation_roles_and_scopes_are_withheld() {
    let fixture = Fixture::start().await;
    fixture.make_stale();
    let admin = fixture.issuer.as_admin().scope("orders:write users:read");

    let principal = fixture.verify(&admin).await.unwrap();
    let user = principal.user().unwrap();
    assert_eq!(
        (user.roles(), user.scope()),
        (&["user".to_owned()][..], "orders:write")
    );
    assert_eq!(user.require_all_roles(), Err(AuthError::RevocationUnknown));

    for (policy, outcome) in [
        (Policy::User, Ok(())),
        (Policy::Optional, Ok(())),
        (Policy::Scope("orders:write"), Ok(())),
        (Policy::AnyRole(&["admin"]), Err(AuthError::RevocationUnknown)),
        (Policy::Scope("users:read"), Err(AuthError::RevocationUnknown)),
        (
            Policy::AnyRole(&["support"]),
            Err(AuthError::Forbidden { scope: None }),
        ),
    ] {
        assert_eq!(
            policy.decide(Ok(principal.clone())).map(drop),
            outcome,
            "{policy:?}"
        );
    }
}

#[actix_web::test]
async fn a_server_that_does_not_answer_is_not_asked_for_each_request() {
    let fixture = Fixture::start().await;
    fixture.make_stale();
    let admin = fixture.issuer.as_admin();
    for _ in 0..50 {
        assert!(!fixture.is_admin(&admin).await);
    }
    assert!(
        fixture.publisher.introspections() < 5,
        "{}",
        fixture.publisher.introspections()
    );
}

#[actix_web::test]
async fn with_refuse_everyone_must_be_confirmed() {
    let fixture = Fixture::start_with(StalePolicy::refuse_all()).await;
    let ada = fixture.issuer.as_user();
    let service = fixture.issuer.as_service("order-service");
    assert!(fixture.verify(&ada).await.is_ok());

    fixture.make_stale();
    assert_eq!(fixture.verify(&ada).await, Err(AuthError::RevocationUnknown));
    assert!(fixture.verify(&service).await.is_ok());
    fixture.publisher.set_active(Some(true));
    // The server is asked again after a second.
    let admitted = async {
        while fixture.verify(&ada).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), admitted)
        .await
        .unwrap();
}

#[actix_web::test]
async fn before_the_first_snapshot_everyone_must_be_confirmed() {
    let fixture = Fixture::before_the_first_snapshot(StalePolicy::default(), |publisher| {
        publisher.fail();
        publisher.set_active(Some(true));
    });
    let ada = fixture.issuer.as_user();
    assert!(fixture.verify(&ada).await.is_ok());
    assert_eq!(fixture.publisher.introspections(), 1);
    assert_eq!(
        fixture.verifier.verify_with_current_keys(&ada.token()),
        Err(AuthError::RevocationUnknown)
    );
    fixture.publisher.set_active(Some(false));
    assert_eq!(fixture.verify(&ada).await, Err(AuthError::Revoked));
    fixture.publisher.set_active(None);
    assert_eq!(fixture.verify(&ada).await, Err(AuthError::RevocationUnknown));
    assert!(!fixture.verifier.has_revocations());

    fixture.publisher.recover();
    eventually("the first snapshot", || fixture.verifier.has_revocations()).await;
    assert!(fixture.verify(&ada).await.is_ok());
}

#[actix_web::test]
async fn a_revoked_token_stays_refused_while_the_feed_is_stale() {
    let fixture = Fixture::start().await;
    let ada = fixture.issuer.as_user();
    fixture.publisher.publish(fixture.revocation_of(&ada));
    fixture.eventually_revoked(&ada).await;
    fixture.make_stale();
    fixture.publisher.set_active(Some(true));
    assert_eq!(fixture.verify(&ada).await, Err(AuthError::Revoked));
}

#[actix_web::test]
async fn the_feed_does_not_concern_users_of_another_issuer() {
    let issuer = Issuer::new(crate::SERVICE);
    let publisher = Publisher::start(&issuer);
    let profile = Profile::rfc9068("shop").revocable(Revocable::BySession);
    let other = issuer
        .rotated()
        .with_name("https://other.example.com")
        .with_profile(profile.clone());
    let verifier = issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .issuer(other.issuer(), Keys::new(other.key_set()), profile)
        .feed(publisher.feed(crate::SERVICE))
        .when_stale(StalePolicy::refuse_all().confirm_with(publisher.introspection(crate::SERVICE)))
        .build();
    eventually("the first snapshot", || verifier.has_revocations()).await;
    publisher.fall_silent();
    issuer.clock().advance(TimeDelta::seconds(6));

    // The server does not answer. It could answer only about its own tokens.
    let outcome = verifier.verify(issuer.as_user().token()).await;
    assert_eq!(outcome, Err(AuthError::RevocationUnknown));
    assert!(verifier.verify(other.as_admin().token()).await.is_ok());
    let revoked = other.as_user().revoked();
    assert_eq!(verifier.verify(revoked.token()).await, Err(AuthError::Revoked));
}

#[actix_web::test]
async fn identity_tokens_can_not_be_confirmed() {
    let issuer = Issuer::new(crate::SERVICE);
    let publisher = Publisher::start(&issuer);
    publisher.set_active(Some(true));
    let verifier = issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .gateway_identities(crate::SERVICE, Keys::new(issuer.gateway_key_set()))
        .feed(publisher.feed(crate::SERVICE))
        .when_stale(StalePolicy::default().confirm_with(publisher.introspection(crate::SERVICE)))
        .build();
    eventually("the first snapshot", || verifier.has_revocations()).await;
    let app = actix_web::test::init_service(
        actix_web::App::new()
            .app_data(actix_web::web::Data::new(verifier))
            .configure(|config| {
                let routes = auth::Routes::new().get("/user", user).get("/admin", admin);
                routes.configure(config);
            }),
    )
    .await;
    let admin = issuer.as_admin();
    let status = async |path: &str| {
        let token = admin.clone().identity_for(crate::SERVICE).token();
        let request = actix_web::test::TestRequest::get().uri(path);
        let request = request.insert_header((auth::IDENTITY_HEADER, token)).to_request();
        actix_web::test::call_service(&app, request)
            .await
            .status()
            .as_u16()
    };
    assert_eq!((status("/user").await, status("/admin").await), (200, 200));

    publisher.fall_silent();
    issuer.clock().advance(chrono::TimeDelta::seconds(6));
    assert_eq!((status("/user").await, status("/admin").await), (200, 503));
    assert_eq!(publisher.introspections(), 0);
}

async fn user(_: auth::VerifyToken) -> &'static str {
    "user"
}

async fn admin(_: auth::IsAdmin) -> &'static str {
    "admin"
}
