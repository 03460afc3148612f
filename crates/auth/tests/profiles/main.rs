//! Tokens of other issuers, by their ready-made profiles.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation fails the test"
)]

mod battery;
mod several_issuers;
mod shapes;
mod signer;
mod tutorials;

use auth::{AuthError, Principal, Profile, TokenFault, User};
use serde_json::json;

use self::battery::assert_strict;
use self::shapes::Shape;
use self::signer::Signer;

fn user(signer: &Signer, profile: &Profile, shape: &Shape) -> User {
    match signer.verify(profile, shape, &shape.user) {
        Ok(Principal::User(user)) => user,
        other => panic!("{other:?}"),
    }
}

fn service_name(signer: &Signer, profile: &Profile, shape: &Shape) -> Result<String, AuthError> {
    match signer.verify(profile, shape, shape.service.as_ref().unwrap())? {
        Principal::Service(service) => Ok(service.name().to_owned()),
        Principal::User(user) => panic!("a service's token identifies {user:?}"),
    }
}

const WRONG_CLAIMS: Result<Principal, AuthError> = Err(AuthError::InvalidToken(TokenFault::Claims));
const NO_SERVICES: Result<String, AuthError> = Err(AuthError::InvalidToken(TokenFault::Principal));

#[test]
fn keycloak() {
    let (signer, shape) = (Signer::new(), shapes::keycloak());
    let profile = Profile::keycloak("shop-api");

    let ada = user(&signer, &profile, &shape);
    assert_eq!(ada.subject(), "6f1f6d3e-3c0b-4c53-8f56-0d7b3a2f7a11");
    assert_eq!(ada.issuer(), shape.issuer);
    assert_eq!((ada.name(), ada.email()), ("Ada Example", "ada@example.com"));
    assert!(ada.is_admin() && ada.has_role("offline_access") && !ada.has_role("clerk"));
    assert!(ada.has_scope("email"));

    let clients = profile.clone().roles_from(["resource_access.shop-api.roles"]);
    assert_eq!(user(&signer, &clients, &shape).roles(), ["clerk"]);
    let both = profile
        .clone()
        .roles_from(["realm_access.roles", "resource_access.shop-api.roles"]);
    assert_eq!(user(&signer, &both, &shape).roles().len(), 4);

    assert_eq!(service_name(&signer, &profile, &shape), NO_SERVICES);
    let with_services = profile.clone().service_audiences(["shop-api"]);
    assert_eq!(
        service_name(&signer, &with_services, &shape),
        Ok("order-service".to_owned())
    );
    // A user's token to which a mapper adds the client is neither.
    let mut with_client = shape.user.clone();
    with_client["client_id"] = json!("shop-web");
    assert_eq!(signer.verify(&with_services, &shape, &with_client), WRONG_CLAIMS);
    assert_strict(&signer, &profile, &shape);
}

#[test]
fn a_keycloak_token_with_any_mark_of_a_service_account_is_no_users() {
    let (signer, shape) = (Signer::new(), shapes::keycloak());
    let profile = Profile::keycloak("shop-api").service_audiences(["shop-api"]);
    let marked = |claim: &str, value| {
        let mut claims = shape.user.clone();
        claims[claim] = value;
        signer.verify(&profile, &shape, &claims)
    };
    // Without `client_id` it is no service's either.
    for (claim, value) in [
        ("sid", json!(null)),
        ("clientId", json!("order-service")),
        ("preferred_username", json!("service-account-order-service")),
    ] {
        let outcome = marked(claim, value);
        assert_eq!(
            outcome,
            Err(AuthError::InvalidToken(TokenFault::Claims)),
            "{claim}"
        );
    }
}

#[test]
fn auth0() {
    let (signer, shape) = (Signer::new(), shapes::auth0());
    let profile = Profile::auth0("https://api.shop.example.com");

    let ada = user(&signer, &profile, &shape);
    assert_eq!(ada.subject(), "auth0|5f7c8ec7c33c6c004bbafe82");
    assert!(ada.roles().is_empty());
    assert!(ada.has_scope("read:orders") && ada.has_scope("write:orders") && ada.has_scope("profile"));
    let with_roles = profile.clone().roles_from(["https://shop.example.com/roles"]);
    assert!(user(&signer, &with_roles, &shape).is_admin());

    assert_eq!(service_name(&signer, &profile, &shape), NO_SERVICES);
    let with_services = profile
        .clone()
        .service_audiences(["https://api.shop.example.com"]);
    assert_eq!(
        service_name(&signer, &with_services, &shape),
        Ok("order-service".to_owned())
    );
    let mut odd_user = shape.user.clone();
    odd_user["sub"] = json!("auth0|ada@clients");
    assert_eq!(signer.verify(&with_services, &shape, &odd_user), WRONG_CLAIMS);
    let by_client = with_services.service_name_from("azp");
    assert_eq!(
        service_name(&signer, &by_client, &shape),
        Ok("order-service".to_owned())
    );
    // Neither `azp` nor `client_id`: an ID token.
    let mut without_client = shape.user.clone();
    without_client["azp"] = json!(null);
    assert_eq!(
        signer.verify(&profile, &shape, &without_client),
        Err(AuthError::InvalidToken(TokenFault::Missing))
    );
    without_client["client_id"] = json!("my_client_id_0123456789");
    assert!(signer.verify(&profile, &shape, &without_client).is_ok());
    assert_strict(&signer, &profile, &shape);
}

#[test]
fn google() {
    let (signer, mut shape) = (Signer::new(), shapes::google());
    let profile = Profile::google("1234987819200.apps.googleusercontent.com");

    let ada = user(&signer, &profile, &shape);
    assert_eq!(ada.subject(), "10769150350006150715113082367");
    assert_eq!((ada.name(), ada.email()), ("Ada Example", "ada@example.com"));
    assert!(ada.roles().is_empty() && ada.scope().is_empty());
    assert_eq!(service_name(&signer, &profile, &shape), NO_SERVICES);
    assert_strict(&signer, &profile, &shape);

    let of_organisation = |domain: &str| {
        let profile = profile.clone().require_value("hd", domain);
        signer.verify(&profile, &shape, &shape.user).map(drop)
    };
    assert_eq!(of_organisation("example.com"), Ok(()));
    assert_eq!(
        of_organisation("example.org"),
        Err(AuthError::InvalidToken(TokenFault::Claims))
    );

    // The other spelling of the issuer, for the same user.
    shape.user["iss"] = json!("accounts.google.com");
    assert_eq!(user(&signer, &profile, &shape).id(), ada.id());
    for unverified in [json!(false), json!("False"), json!(0)] {
        shape.user["email_verified"] = unverified;
        assert_eq!(user(&signer, &profile, &shape).email(), "");
    }
}

/// The account's owner chooses the audience of these tokens.
#[test]
fn a_google_token_of_a_service_account_is_no_users() {
    let (signer, shape) = (Signer::new(), shapes::google());
    let profile = Profile::google("1234987819200.apps.googleusercontent.com");
    for claim in ["azp", "email"] {
        let mut claims = shape.user.clone();
        claims[claim] = json!("order-service@shop.iam.gserviceaccount.com");
        assert_eq!(
            signer.verify(&profile, &shape, &claims),
            Err(AuthError::InvalidToken(TokenFault::Principal)),
            "{claim}"
        );
    }
}

#[test]
fn entra_id() {
    let (signer, shape) = (Signer::new(), shapes::entra_id());
    let profile = Profile::entra_id("2b8f4a7e-0d6c-4f5d-9f5a-1b7c3d2e4f60");

    let ada = user(&signer, &profile, &shape);
    assert_eq!(ada.subject(), "690222be-ff1a-4d56-abd1-7e4f7d38e474");
    assert_eq!((ada.name(), ada.email()), ("Ada Example", ""));
    assert!(ada.is_admin() && ada.has_scope("orders.read"));

    assert_eq!(service_name(&signer, &profile, &shape), NO_SERVICES);
    let with_services = profile
        .clone()
        .service_audiences(["2b8f4a7e-0d6c-4f5d-9f5a-1b7c3d2e4f60"]);
    assert_eq!(
        service_name(&signer, &with_services, &shape),
        Ok("order-service".to_owned())
    );
    // Also where services are admitted, an ID token is not one's, nor is the token of an application without roles.
    let id_token = signer.verify(&with_services, &shape, shape.id_token.as_ref().unwrap());
    assert_eq!(id_token, WRONG_CLAIMS);
    let mut without_roles = shape.service.clone().unwrap();
    without_roles["roles"] = json!(null);
    assert_eq!(
        signer.verify(&with_services, &shape, &without_roles),
        WRONG_CLAIMS
    );
    assert_strict(&signer, &profile, &shape);
}

#[test]
fn cognito() {
    let (signer, shape) = (Signer::new(), shapes::cognito());
    let profile = Profile::cognito("xxxxxxxxxxxxexample");

    let ada = user(&signer, &profile, &shape);
    assert_eq!(ada.subject(), "aaaaaaaa-bbbb-4ccc-9ddd-eeeeeeeeeeee");
    assert_eq!(ada.name(), "ada");
    assert!(ada.is_admin() && ada.has_scope("orders/read"));
    assert_eq!(service_name(&signer, &profile, &shape), NO_SERVICES);
    // The client's token for another API.
    let mut for_another = shape.user.clone();
    for_another["aud"] = json!("https://api.other.example.com");
    assert_eq!(
        signer.verify(&profile, &shape, &for_another),
        Err(AuthError::InvalidToken(TokenFault::Audience))
    );
    let with_api = profile
        .clone()
        .audiences(["xxxxxxxxxxxxexample", "https://api.other.example.com"]);
    assert!(signer.verify(&with_api, &shape, &for_another).is_ok());
    assert_strict(&signer, &profile, &shape);
}

#[test]
fn rfc9068() {
    let (signer, shape) = (Signer::new(), shapes::rfc9068());
    let profile = Profile::rfc9068("https://rs.example.com/");

    let ada = user(&signer, &profile, &shape);
    assert_eq!(ada.subject(), "5ba552d67");
    assert!(ada.is_admin() && ada.has_scope("reademail"));
    assert_eq!(service_name(&signer, &profile, &shape), NO_SERVICES);
    let with_services = profile.clone().service_audiences(["https://rs.example.com/"]);
    assert_eq!(
        service_name(&signer, &with_services, &shape),
        Ok("order-service".to_owned())
    );
    let without_roles = profile.clone().without_roles();
    assert!(user(&signer, &without_roles, &shape).roles().is_empty());
    assert_strict(&signer, &profile, &shape);
}
