//! Tokens `{userId, email, role}` with a shared secret, the application's own claims, and what else a profile can say.

use auth::testing::Issuer;
use auth::{
    Algorithm, AuthError, KeySet, Keys, PemError, Principal, Profile, Revocable, Revocation, SharedSecret,
    TokenFault, Verifier,
};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::shapes;
use crate::signer::Signer;

const SECRET: &[u8; 40] = b"0123456789 abcdefghijklmnopqrstuvwxyz xy";
const ISSUER: &str = "https://legacy.example.com";

fn verifier(profile: Profile) -> Verifier {
    let secret = SharedSecret::from_bytes(SECRET.to_vec().into()).unwrap();
    Verifier::builder(ISSUER, Keys::new(secret.into()), profile).build()
}

/// A token as `jwt.sign(claims, secret, { expiresIn: '1h' })` makes it.
fn token(claims: &Value) -> String {
    let mut claims = claims.clone();
    let now = auth::Clock::system().unix();
    let object = claims.as_object_mut().unwrap();
    object.entry("iat").or_insert_with(|| json!(now));
    object.entry("exp").or_insert_with(|| json!(now + 3_600));
    jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims,
        &EncodingKey::from_secret(SECRET),
    )
    .unwrap()
}

#[test]
fn a_tutorials_token_identifies_the_user() {
    let verifier = verifier(Profile::jsonwebtoken());
    for id in [json!(42), json!("42")] {
        let token = token(&json!({"userId": id, "email": "ada@example.com", "role": "admin"}));
        let Ok(Principal::User(ada)) = verifier.verify_with_current_keys(&token) else {
            panic!("{id}")
        };
        assert_eq!((ada.subject(), ada.email()), ("42", "ada@example.com"));
        assert!(ada.is_admin());
        assert_eq!(
            (ada.issuer(), ada.token_id(), ada.session_id()),
            (ISSUER, "", None)
        );
    }
}

#[test]
fn an_issuer_and_an_audience_in_a_tutorials_token_must_be_right() {
    let verify = |profile: Profile, claims: Value| {
        verifier(profile)
            .verify_with_current_keys(&token(&claims))
            .map(drop)
    };
    let with = |claim: &str, value: Value| {
        let mut claims = json!({"userId": 42, "role": "user"});
        claims[claim] = value;
        claims
    };
    let refused = |fault| Err(AuthError::InvalidToken(fault));
    let plain = Profile::jsonwebtoken;

    assert_eq!(verify(plain(), with("iss", json!(ISSUER))), Ok(()));
    assert_eq!(
        verify(plain(), with("iss", json!("other"))),
        refused(TokenFault::Issuer)
    );
    assert_eq!(
        verify(plain(), with("aud", json!("shop"))),
        refused(TokenFault::Principal)
    );
    let for_shop = || plain().audiences(["shop"]);
    assert_eq!(verify(for_shop(), with("aud", json!("shop"))), Ok(()));
    assert_eq!(
        verify(for_shop(), with("aud", json!("other"))),
        refused(TokenFault::Audience)
    );
    assert_eq!(
        verify(plain(), with("userId", Value::Null)),
        refused(TokenFault::Missing)
    );
    assert_eq!(
        verify(plain(), with("userId", json!(""))),
        refused(TokenFault::Claims)
    );
    assert_eq!(
        verify(plain(), with("userId", json!(4.5))),
        refused(TokenFault::Malformed)
    );
    assert_eq!(
        verify(plain(), with("role", json!({"admin": true}))),
        refused(TokenFault::Malformed)
    );
}

#[test]
fn another_place_for_roles_loosens_nothing_about_scopes() {
    let (signer, mut shape) = (Signer::new(), shapes::rfc9068());
    let profile = Profile::rfc9068("https://rs.example.com/").roles_from(["groups"]);
    assert!(signer.verify(&profile, &shape, &shape.user).is_ok());

    shape.user["scope"] = json!(["a", "b"]);
    let refused = |profile: &Profile| signer.verify(profile, &shape, &shape.user).err();
    assert_eq!(
        refused(&profile),
        Some(AuthError::InvalidToken(TokenFault::Malformed))
    );
    assert_eq!(refused(&profile.scopes_from(["scope"])), None);
}

#[test]
fn only_a_shared_secret_makes_up_for_a_missing_issuer_and_audience() {
    let signer = Signer::new();
    let token = signer.token(Some("JWT"), &json!({"userId": 42}));
    let verifier = signer.verifier(&Profile::jsonwebtoken(), ISSUER);
    assert_eq!(
        verifier.verify_with_current_keys(&token),
        Err(AuthError::InvalidToken(TokenFault::Missing))
    );
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Tenant {
    tenant: String,
    #[serde(default)]
    seats: u32,
}

#[test]
fn the_applications_own_claims_are_read_into_its_type() {
    let signer = Signer::new();
    let mut shape = shapes::rfc9068();
    let profile = Profile::rfc9068("https://rs.example.com/").claims::<Tenant>();

    let without = signer.verify(&profile, &shape, &shape.user);
    assert_eq!(without, Err(AuthError::InvalidToken(TokenFault::Claims)));

    shape.user["tenant"] = json!("acme");
    shape.user["seats"] = json!(3);
    let verifier = signer.verifier(&profile, shape.issuer);
    let token = signer.token(shape.typ, &shape.user);
    // A second time from the cache.
    for _ in 0..2 {
        let principal = verifier.verify_with_current_keys(&token).unwrap();
        let user = principal.user().unwrap();
        let expected = Tenant {
            tenant: "acme".to_owned(),
            seats: 3,
        };
        assert_eq!(user.claims::<Tenant>(), Some(&expected));
        assert_eq!(user.claims::<String>(), None);
    }
}

#[test]
fn tokens_of_another_issuer_can_be_revoked_by_their_session() {
    let issuer =
        Issuer::new("shop-api").with_profile(Profile::keycloak("shop-api").revocable(Revocable::BySession));
    let verifier = issuer.verifier();
    let (ada, bob) = (issuer.as_user(), issuer.as_user());
    assert!(verifier.verify_with_current_keys(&ada.token()).is_ok());

    issuer.revocations().apply(Revocation::Session {
        id: ada.user().session_id().unwrap(),
        expires_at: issuer.clock().unix() + 960,
    });
    assert_eq!(
        verifier.verify_with_current_keys(&ada.token()),
        Err(AuthError::Revoked)
    );
    assert!(verifier.verify_with_current_keys(&bob.token()).is_ok());
    assert_eq!(
        verifier.verify_with_current_keys(&bob.revoked().token()),
        Err(AuthError::Revoked)
    );
}

#[test]
fn the_test_issuer_makes_tokens_of_each_profile() {
    for profile in [
        Profile::countersign("shop"),
        Profile::rfc9068("shop"),
        Profile::keycloak("shop"),
        Profile::auth0("shop").roles_from(["https://shop.example.com/roles"]),
        Profile::google("shop").roles_from(["groups"]),
        Profile::entra_id("shop"),
        Profile::cognito("shop"),
        Profile::jsonwebtoken(),
    ] {
        let issuer = match profile.clone() {
            tutorials if format!("{tutorials:?}").contains("userId") => {
                Issuer::with_secret("shop", std::str::from_utf8(SECRET).unwrap()).with_profile(tutorials)
            }
            other => Issuer::new("shop").with_profile(other),
        };
        let verifier = issuer.verifier();
        let verify = |token: String| verifier.verify_with_current_keys(&token);

        let admin =
            verify(issuer.as_admin().token()).unwrap_or_else(|error| panic!("{error:?}: {profile:?}"));
        assert!(admin.user().unwrap().is_admin(), "{profile:?}");
        assert_eq!(
            verify(issuer.as_user().expired().token()),
            Err(AuthError::Expired)
        );
        for bad in [
            issuer.as_user().wrong_audience(),
            issuer.as_user().signed_by_a_stranger(),
        ] {
            let outcome = verify(bad.token());
            assert!(
                matches!(outcome, Err(AuthError::InvalidToken(_))),
                "{outcome:?}: {profile:?}"
            );
        }
    }
}

#[test]
fn the_test_issuer_makes_service_tokens_of_each_profile() {
    for profile in [
        Profile::new("shop"),
        Profile::countersign("shop"),
        Profile::rfc9068("shop"),
        Profile::keycloak("shop"),
        Profile::auth0("shop"),
        Profile::entra_id("shop"),
    ] {
        let issuer = Issuer::new("shop").with_profile(profile.service_audiences(["shop"]));
        let token = issuer.as_service("order-service").token();
        let outcome = issuer.verifier().verify_with_current_keys(&token);
        let Ok(Principal::Service(service)) = &outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(service.name(), "order-service");
        assert!(service.is("order-service"));
    }
}

#[test]
fn a_key_in_pem_verifies_tokens_with_any_kid() {
    let (signer, shape) = (Signer::new(), shapes::rfc9068());
    let read = |pem: &str, algorithm| KeySet::from_pem(pem, algorithm);
    let keys = Keys::new(read(&signer.pem, Algorithm::RS256).unwrap());
    let verifier = Verifier::builder(shape.issuer, keys, Profile::rfc9068("https://rs.example.com/"))
        .clock(signer.clock.clone())
        .build();
    let verify = |token: &str| verifier.verify_with_current_keys(token).map(drop);

    assert_eq!(verify(&signer.token(shape.typ, &shape.user)), Ok(()));
    let stranger = Signer::new().token(shape.typ, &shape.user);
    assert_eq!(
        verify(&stranger),
        Err(AuthError::InvalidToken(TokenFault::Signature))
    );

    assert_eq!(
        read(&signer.pem, Algorithm::ES256).err(),
        Some(PemError::Algorithm)
    );
    assert_eq!(
        read(&signer.pem, Algorithm::HS256).err(),
        Some(PemError::Algorithm)
    );
    let private = signer.pem.replace("PUBLIC", "PRIVATE");
    assert_eq!(read(&private, Algorithm::RS256).err(), Some(PemError::PrivateKey));
    for bad in [
        "",
        "key",
        &signer.pem[..100],
        &signer.pem.replace("PUBLIC KEY", "CERTIFICATE"),
    ] {
        assert_eq!(
            read(bad, Algorithm::RS256).err(),
            Some(PemError::Malformed),
            "{bad}"
        );
    }
}
