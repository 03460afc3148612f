//! Several issuers side by side in one verifier.

use auth::testing::Issuer;
use auth::{AuthError, Keys, Policy, Principal, Profile, TokenFault, User, Verifier};
use serde_json::json;

use crate::shapes;
use crate::signer::Signer;

struct Fixture {
    ours: Issuer,
    google: Signer,
    keycloak: Signer,
    verifier: Verifier,
}

impl Fixture {
    fn new() -> Self {
        let (ours, google, keycloak) = (Issuer::new("shop"), Signer::new(), Signer::new());
        let verifier = ours
            .verifier_builder(Keys::new(ours.key_set()))
            .issuer(
                shapes::google().issuer,
                google.keys(),
                Profile::google("1234987819200.apps.googleusercontent.com"),
            )
            .issuer(
                shapes::keycloak().issuer,
                keycloak.keys(),
                Profile::keycloak("shop-api"),
            )
            .build();
        Self {
            ours,
            google,
            keycloak,
            verifier,
        }
    }

    fn user(&self, token: &str) -> Result<User, AuthError> {
        match self.verifier.verify_with_current_keys(token)? {
            Principal::User(user) => Ok(user),
            Principal::Service(service) => panic!("{service:?}"),
        }
    }
}

#[test]
fn each_issuers_tokens_are_verified_by_its_own_keys_and_profile() {
    let fixture = Fixture::new();
    let (google, keycloak) = (shapes::google(), shapes::keycloak());
    let google_token = fixture.google.token(google.typ, &google.user);
    let keycloak_token = fixture.keycloak.token(keycloak.typ, &keycloak.user);

    // A second time from the cache.
    for _ in 0..2 {
        assert!(fixture.user(&fixture.ours.as_admin().token()).unwrap().is_admin());
        assert_eq!(fixture.user(&google_token).unwrap().issuer(), google.issuer);
        assert_eq!(fixture.user(&keycloak_token).unwrap().issuer(), keycloak.issuer);
    }
    let revoked = fixture.ours.as_user().revoked();
    assert_eq!(fixture.user(&revoked.token()), Err(AuthError::Revoked));
}

#[test]
fn one_issuers_key_signs_nothing_for_another_issuer() {
    let fixture = Fixture::new();
    let (google, keycloak) = (shapes::google(), shapes::keycloak());
    // Google's claims, signed by the realm's key, which has the same `kid`.
    let forged = fixture.keycloak.token(google.typ, &google.user);
    assert_eq!(
        fixture.user(&forged),
        Err(AuthError::InvalidToken(TokenFault::Signature))
    );

    // Each key with its own issuer, but in the shape of another.
    let mut claims = keycloak.user.clone();
    claims["iss"] = json!(google.issuer);
    let reshaped = fixture.google.token(keycloak.typ, &claims);
    assert_eq!(
        fixture.user(&reshaped),
        Err(AuthError::InvalidToken(TokenFault::Audience))
    );

    let mut nobodys = google.user.clone();
    nobodys["iss"] = json!("https://other.example.com");
    for claims in [nobodys, json!({"sub": "x"})] {
        let token = fixture.google.token(google.typ, &claims);
        assert_eq!(
            fixture.user(&token),
            Err(AuthError::InvalidToken(TokenFault::Issuer))
        );
    }
}

#[test]
fn claims_are_returned_for_tokens_of_the_first_issuer_only() {
    let profile = || Profile::countersign("shop");
    let ours = Issuer::new("shop");
    let other = Issuer::new("shop").with_name("https://other.example.com");
    let verifier = ours
        .verifier_builder(Keys::new(ours.key_set()))
        .issuer(other.issuer(), Keys::new(other.key_set()), profile())
        .build();
    let token = other.as_user().token();
    assert!(verifier.verify_with_current_keys(&token).is_ok());
    assert_eq!(
        verifier.verify_claims(&token),
        Err(AuthError::InvalidToken(TokenFault::Issuer))
    );
    assert!(verifier.verify_claims(&ours.as_user().token()).is_ok());
}

#[test]
fn users_of_two_issuers_never_have_the_same_id() {
    let signer = Signer::new();
    let id_at = |issuer: &'static str| {
        let mut shape = shapes::rfc9068();
        shape.issuer = issuer;
        shape.user["iss"] = json!(issuer);
        let profile = Profile::rfc9068("https://rs.example.com/");
        let verified = signer.verify(&profile, &shape, &shape.user).unwrap();
        verified.user().unwrap().id()
    };
    assert_eq!(id_at("https://a.example.com"), id_at("https://a.example.com"));
    assert_ne!(id_at("https://a.example.com"), id_at("https://b.example.com"));
}

#[test]
fn a_cached_token_is_refused_when_its_issuers_keys_are_gone() {
    let (one, other) = (Signer::new(), Signer::new());
    let shape = shapes::rfc9068();
    let profile = || Profile::rfc9068("https://rs.example.com/");
    let keys = other.keys();
    let verifier = Verifier::builder("https://first.example.com", one.keys(), profile())
        .issuer(shape.issuer, keys.clone(), profile())
        .clock(other.clock.clone())
        .build();
    let token = other.token(shape.typ, &shape.user);
    assert!(verifier.verify_with_current_keys(&token).is_ok());

    keys.replace(auth::KeySet::default());
    assert_eq!(
        verifier.verify_with_current_keys(&token),
        Err(AuthError::KeysUnavailable)
    );
    assert!(verifier.has_keys(), "the first issuer's keys decide");
}

#[test]
fn a_name_is_only_that_of_the_first_issuers_service() {
    let ours = Issuer::new("shop");
    let other = Issuer::new("shop").with_name("https://other.example.com");
    let verifier = ours
        .verifier_builder(Keys::new(ours.key_set()))
        .issuer(
            other.issuer(),
            Keys::new(other.key_set()),
            Profile::countersign("shop"),
        )
        .build();
    let outcome =
        |issuer: &Issuer| verifier.verify_with_current_keys(&issuer.as_service("order-service").token());

    let Ok(Principal::Service(stranger)) = outcome(&other) else {
        panic!("not a service");
    };
    assert_eq!(
        (stranger.name(), stranger.issuer()),
        ("order-service", other.issuer())
    );
    assert!(!stranger.is("order-service"));
    let named = Policy::Service("order-service");
    assert_eq!(
        named.decide(outcome(&other)),
        Err(AuthError::Forbidden { scope: None })
    );
    assert!(named.decide(outcome(&ours)).is_ok());
    assert!(Policy::AnyService.decide(outcome(&other)).is_ok());
}

#[test]
fn an_issuer_of_uuids_cant_give_the_derived_id_of_another_issuers_user() {
    let signer = Signer::new();
    let (google, mut shape) = (shapes::google(), shapes::keycloak());
    let profile = Profile::google("1234987819200.apps.googleusercontent.com");
    let victim = signer.verify(&profile, &google, &google.user).unwrap();

    let profile = Profile::keycloak("shop-api").uuids();
    assert!(signer.verify(&profile, &shape, &shape.user).is_ok());
    shape.user["sub"] = json!(victim.user().unwrap().id());
    assert_eq!(
        signer.verify(&profile, &shape, &shape.user),
        Err(AuthError::InvalidToken(TokenFault::Claims))
    );
}
