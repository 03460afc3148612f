//! Headers that clients can write identify no user, in any strategy.

use auth::{IDENTITY_HEADER, Introspection};

use super::*;
use crate::endpoint::{Endpoint, ok};

#[actix_web::test]
async fn headers_that_name_a_user_are_ignored() {
    let issuer = Issuer::new(SERVICE);
    // It calls every token active.
    let endpoint = Endpoint::start(ok(r#"{"active":true}"#));
    let introspection = Introspection::at(&endpoint.url(), SERVICE, "secret".into()).unwrap();
    let introspecting = issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .introspection(introspection)
        .build();
    let ada = issuer.as_user().name("Ada");
    let identity = issuer.as_admin().identity_for(SERVICE).token();
    let bearer = format!("Bearer {}", ada.token());
    let root = issuer.as_admin().claims().sub.clone();
    let forged = [
        ("x-user-id", root.as_str()),
        ("x-user-role", "admin"),
        ("x-user-roles", "user,admin"),
    ];

    for verifier in [
        issuer.verifier(),
        introspecting.clone(),
        issuer.gateway_verifier(),
    ] {
        for path in ["/user", "/admin", "/service"] {
            assert_eq!(get(&verifier, path, &forged).await, refused(401, "no_token"));
        }
        assert_eq!(get(&verifier, "/optional", &forged).await, admitted("anonymous"));
    }

    // Without the gateway's strategy, a valid identity token is ignored too.
    for verifier in [issuer.verifier(), introspecting] {
        let identity = (IDENTITY_HEADER, identity.as_str());
        assert_eq!(
            get(&verifier, "/admin", &[identity]).await,
            refused(401, "no_token")
        );
        let headers = [&forged[..], &[identity, identity, ("authorization", &bearer)]].concat();
        assert_eq!(get(&verifier, "/user", &headers).await, admitted("Ada"));
        assert_eq!(
            get(&verifier, "/admin", &headers).await,
            refused(403, "forbidden")
        );
    }
    // With it, the other headers change nothing.
    let identity = ada.identity_for(SERVICE).token();
    let headers = [&forged[..], &[(IDENTITY_HEADER, identity.as_str())]].concat();
    let gateway = issuer.gateway_verifier();
    assert_eq!(get(&gateway, "/user", &headers).await, admitted("Ada"));
    assert_eq!(get(&gateway, "/admin", &headers).await, refused(403, "forbidden"));
}
