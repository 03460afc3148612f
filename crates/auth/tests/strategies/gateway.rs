//! `gateway_identities`: users are known only by the identity tokens of the gateway.

use auth::testing::TestToken;
use auth::{IDENTITY_HEADER, IDENTITY_TOKEN_TYPE, KeySet, Revocation, identity_issuer};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use serde_json::json;

use super::*;

async fn get_identified(verifier: &Verifier, path: &str, identity: &str) -> (u16, String) {
    get(verifier, path, &[(IDENTITY_HEADER, identity)]).await
}

#[actix_web::test]
async fn an_identity_token_identifies_the_user() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let user = issuer.as_user().name("Ada").identity_for(SERVICE);
    let root = issuer.as_admin().name("Root").identity_for(SERVICE);
    // The second request uses the cache.
    for _ in 0..2 {
        for (identity, path, outcome) in [
            (&user, "/user", admitted("Ada")),
            (&user, "/optional", admitted("Ada")),
            (&user, "/admin", refused(403, "forbidden")),
            (&user, "/service", refused(403, "forbidden")),
            (&root, "/admin", admitted("Root")),
        ] {
            assert_eq!(
                get_identified(&verifier, path, &identity.token()).await,
                outcome,
                "{path}"
            );
        }
    }
}

#[actix_web::test]
async fn a_valid_identity_token_decides_alone() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let identity = issuer.as_user().name("Ada").identity_for(SERVICE).token();
    for authorization in [
        format!("Bearer {}", issuer.as_admin().name("Root").token()),
        format!("Bearer {}", issuer.as_user().expired().token()),
        format!("Bearer {}", issuer.as_service("order-service").token()),
        "Bearer nonsense".to_owned(),
        "Basic YTpi".to_owned(),
    ] {
        let headers = [
            (IDENTITY_HEADER, identity.as_str()),
            ("authorization", &authorization),
        ];
        assert_eq!(get(&verifier, "/user", &headers).await, admitted("Ada"));
        for path in ["/admin", "/service"] {
            assert_eq!(get(&verifier, path, &headers).await, refused(403, "forbidden"));
        }
    }
}

/// Tokens that are not valid identity tokens for the service, and the code of their refusal.
fn invalid_identities(issuer: &Issuer) -> Vec<(&'static str, String, &'static str)> {
    let user = || issuer.as_admin();
    let identity = || user().identity_for(SERVICE);
    let unsigned = |token: &TestToken| {
        let header = json!({"alg": "none", "typ": IDENTITY_TOKEN_TYPE}).to_string();
        let claims = serde_json::to_string(token.claims()).unwrap();
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{claims}.")
    };
    let elsewhere = Issuer::new(SERVICE);
    let as_identity = |token: TestToken| {
        token.with(|header, claims| {
            header.typ = Some(IDENTITY_TOKEN_TYPE.to_owned());
            claims.iss = identity_issuer(&claims.iss);
            claims.aud = vec![SERVICE.to_owned()];
        })
    };
    let raised = user().identity_for(SERVICE);
    issuer.revocations().apply(Revocation::User {
        id: raised.claims().sub.parse().unwrap(),
        epoch: 1,
        expires_at: i64::MAX,
    });
    let invalid = "invalid_token";
    vec![
        ("nothing", String::new(), invalid),
        ("nonsense", "a.b.c".to_owned(), invalid),
        ("an access token", user().token(), invalid),
        (
            "a service token",
            issuer.as_service("order-service").token(),
            invalid,
        ),
        (
            "a service's identity",
            issuer.as_service("order-service").identity_for(SERVICE).token(),
            invalid,
        ),
        (
            "for another service",
            user().identity_for("order-service").token(),
            invalid,
        ),
        (
            "for the platform",
            user().identity_for("platform").token(),
            invalid,
        ),
        ("no algorithm", unsigned(&identity()), invalid),
        (
            "signed by a stranger",
            identity().signed_by_a_stranger().token(),
            invalid,
        ),
        (
            "an unknown key",
            elsewhere.as_admin().identity_for(SERVICE).token(),
            invalid,
        ),
        ("signed by user-service", as_identity(user()).token(), invalid),
        (
            "the type of an access token",
            identity()
                .with(|header, _| header.typ = Some("at+jwt".to_owned()))
                .token(),
            invalid,
        ),
        (
            "no type",
            identity().with(|header, _| header.typ = None).token(),
            invalid,
        ),
        (
            "the issuer of access tokens",
            identity()
                .with(|_, claims| issuer.issuer().clone_into(&mut claims.iss))
                .token(),
            invalid,
        ),
        (
            "no session",
            identity().with(|_, claims| claims.sid = None).token(),
            invalid,
        ),
        ("expired", identity().expired().token(), "token_expired"),
        (
            "a session that ended",
            identity().revoked().token(),
            "token_revoked",
        ),
        ("an earlier epoch", raised.token(), "token_revoked"),
    ]
}

#[actix_web::test]
async fn an_invalid_identity_token_is_refused_with_any_bearer_token() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let user = format!("Bearer {}", issuer.as_admin().token());
    let service = format!("Bearer {}", issuer.as_service("order-service").token());
    for (name, identity, code) in invalid_identities(&issuer) {
        let identity = (IDENTITY_HEADER, identity.as_str());
        for (path, headers) in [
            ("/admin", vec![identity]),
            ("/admin", vec![identity, ("authorization", &user)]),
            ("/service", vec![identity, ("authorization", &service)]),
        ] {
            assert_eq!(get(&verifier, path, &headers).await, refused(401, code), "{name}");
        }
        let outcome = get(&verifier, "/optional", &[identity]).await;
        assert_eq!(outcome, admitted("anonymous"), "{name}");
    }
}

#[actix_web::test]
async fn two_identity_headers_are_refused() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let identity = issuer.as_user().identity_for(SERVICE).token();
    for second in [identity.as_str(), "", "nonsense"] {
        let headers = [
            (IDENTITY_HEADER, identity.as_str()),
            ("X-Countersign-Identity", second),
        ];
        for path in ["/user", "/optional"] {
            assert_eq!(
                get(&verifier, path, &headers).await,
                refused(400, "invalid_request")
            );
        }
    }
}

#[actix_web::test]
async fn a_bearer_token_does_not_identify_a_user() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    for token in [
        issuer.as_admin(),
        issuer.as_admin().expired(),
        issuer.as_admin().revoked(),
        issuer.as_admin().identity_for(SERVICE),
    ] {
        let token = token.token();
        assert_eq!(
            get_as(&verifier, "/admin", &token).await,
            refused(401, "invalid_token")
        );
        assert_eq!(
            get_as(&verifier, "/optional", &token).await,
            admitted("anonymous")
        );
        assert!(verifier.verify(&token).await.is_err());
        assert!(verifier.verify_with_current_keys(&token).is_err());
    }
    assert_eq!(get(&verifier, "/user", &[]).await, refused(401, "no_token"));
}

#[actix_web::test]
async fn services_are_known_by_their_bearer_tokens() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let token = issuer.as_service("order-service").token();
    assert_eq!(
        get_as(&verifier, "/service", &token).await,
        admitted("order-service")
    );
    assert_eq!(
        get_as(&verifier, "/user", &token).await,
        refused(403, "forbidden")
    );
    for other in [
        issuer.as_service("order-service").wrong_audience(),
        issuer.as_service("order-service").signed_by_a_stranger(),
    ] {
        let outcome = get_as(&verifier, "/service", &other.token()).await;
        assert_eq!(outcome, refused(401, "invalid_token"));
    }
}

#[actix_web::test]
async fn an_identity_token_is_valid_until_the_end_of_its_leeway() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let identity = issuer.as_user().name("Ada").identity_for(SERVICE).token();

    issuer.clock().advance(TimeDelta::seconds(59));
    assert_eq!(
        get_identified(&verifier, "/user", &identity).await,
        admitted("Ada")
    );
    issuer.clock().advance(TimeDelta::seconds(1));
    let outcome = get_identified(&verifier, "/user", &identity).await;
    assert_eq!(outcome, refused(401, "token_expired"));
}

#[actix_web::test]
async fn a_cached_identity_token_is_refused_after_its_revocation() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.gateway_verifier();
    let identity = issuer.as_user().name("Ada").identity_for(SERVICE);
    let token = identity.token();
    assert_eq!(get_identified(&verifier, "/user", &token).await, admitted("Ada"));

    drop(identity.revoked());
    let outcome = get_identified(&verifier, "/user", &token).await;
    assert_eq!(outcome, refused(401, "token_revoked"));
}

#[actix_web::test]
async fn without_the_gateways_keys_users_are_refused_and_services_are_not() {
    let issuer = Issuer::new(SERVICE);
    let gateway_keys = Keys::default();
    let verifier = issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .gateway_identities(SERVICE, gateway_keys.clone())
        .build();
    let identity = issuer.as_user().name("Ada").identity_for(SERVICE).token();
    let service = issuer.as_service("order-service").token();

    assert!(verifier.has_keys() && !verifier.has_gateway_keys());
    let outcome = get_identified(&verifier, "/user", &identity).await;
    assert_eq!(outcome, refused(503, "keys_unavailable"));
    assert_eq!(
        get_as(&verifier, "/service", &service).await,
        admitted("order-service")
    );

    gateway_keys.replace(issuer.gateway_key_set());
    assert!(verifier.has_gateway_keys());
    assert_eq!(
        get_identified(&verifier, "/user", &identity).await,
        admitted("Ada")
    );

    // A key that left the set verifies nothing, not even cached tokens.
    gateway_keys.replace(KeySet::default());
    let outcome = get_identified(&verifier, "/user", &identity).await;
    assert_eq!(outcome, refused(503, "keys_unavailable"));
}
