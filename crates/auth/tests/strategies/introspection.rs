//! `introspection`: the authorization server confirms users' tokens on each request.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use auth::{AuthError, Introspection, Principal};

use super::*;
use crate::endpoint::{Endpoint, Reaction, ok};

const ACTIVE: &str = r#"{"active":true}"#;
const INACTIVE: &str = r#"{"active":false}"#;

fn client(url: &str) -> Introspection {
    Introspection::at(url, SERVICE, "se cret".into()).unwrap()
}

fn verifier(issuer: &Issuer, introspection: Introspection) -> Verifier {
    issuer
        .verifier_builder(Keys::new(issuer.key_set()))
        .introspection(introspection)
        .build()
}

fn asking(issuer: &Issuer, endpoint: &Endpoint) -> Verifier {
    verifier(issuer, client(&endpoint.url()))
}

#[actix_web::test]
async fn a_users_token_is_confirmed_on_each_request_over_one_connection() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(ACTIVE)));
    let verifier = asking(&issuer, &endpoint);
    let token = issuer.as_user().name("Ada").token();
    for _ in 0..3 {
        assert_eq!(get_as(&verifier, "/user", &token).await, admitted("Ada"));
    }
    assert_eq!(get_as(&verifier, "/optional", &token).await, admitted("Ada"));
    assert_eq!(
        get_as(&verifier, "/admin", &token).await,
        refused(403, "forbidden")
    );
    assert!(verifier.verify(&token).await.is_ok());

    let received = endpoint.received();
    assert_eq!(received.len(), 6);
    for request in received {
        assert_eq!(request.connection, 0);
        assert_eq!(request.head.first().unwrap(), "POST /oauth/introspect HTTP/1.1");
        // `thing-service:se+cret`, whose parts are form-encoded (RFC 6749 §2.3.1).
        assert_eq!(
            request.header("authorization"),
            "Basic dGhpbmctc2VydmljZTpzZStjcmV0"
        );
        assert_eq!(
            request.header("content-type"),
            "application/x-www-form-urlencoded"
        );
        assert_eq!(request.body, format!("token={token}"));
    }
}

#[actix_web::test]
async fn an_inactive_token_is_refused_from_the_next_request_on() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(ACTIVE)));
    let verifier = asking(&issuer, &endpoint);
    let token = issuer.as_user().name("Ada").token();
    assert_eq!(get_as(&verifier, "/user", &token).await, admitted("Ada"));

    endpoint.set(ok(INACTIVE));
    assert_eq!(
        get_as(&verifier, "/user", &token).await,
        refused(401, "token_revoked")
    );
    assert_eq!(
        get_as(&verifier, "/optional", &token).await,
        admitted("anonymous")
    );
}

#[actix_web::test]
async fn a_token_that_the_server_refuses_in_its_leeway_has_expired() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(INACTIVE)));
    let verifier = asking(&issuer, &endpoint);
    let expiring_in = |seconds: i64| {
        let token = issuer
            .as_user()
            .with(|_, claims| claims.exp = claims.iat + seconds);
        token.token()
    };
    for (seconds, code) in [(1, "token_revoked"), (0, "token_expired"), (-29, "token_expired")] {
        assert_eq!(
            get_as(&verifier, "/user", &expiring_in(seconds)).await,
            refused(401, code)
        );
    }
    assert_eq!(endpoint.received().len(), 3);
}

#[actix_web::test]
async fn an_invalid_token_costs_the_server_nothing() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(ACTIVE)));
    let verifier = asking(&issuer, &endpoint);
    for (token, code) in [
        ("nonsense".to_owned(), "invalid_token"),
        (issuer.as_user().signed_by_a_stranger().token(), "invalid_token"),
        (issuer.as_user().wrong_audience().token(), "invalid_token"),
        (issuer.as_user().identity_for(SERVICE).token(), "invalid_token"),
        (issuer.as_user().expired().token(), "token_expired"),
        (issuer.as_user().revoked().token(), "token_revoked"),
        (issuer.as_service("a").wrong_audience().token(), "invalid_token"),
    ] {
        assert_eq!(get_as(&verifier, "/user", &token).await, refused(401, code));
    }
    assert_eq!(get(&verifier, "/user", &[]).await, refused(401, "no_token"));
    assert_eq!(endpoint.received().len(), 0);
}

#[actix_web::test]
async fn service_tokens_are_verified_without_the_server() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(INACTIVE)));
    let verifier = asking(&issuer, &endpoint);
    let token = issuer.as_service("order-service").token();

    assert_eq!(
        get_as(&verifier, "/service", &token).await,
        admitted("order-service")
    );
    assert!(verifier.verify_with_current_keys(&token).is_ok());
    assert_eq!(endpoint.received().len(), 0);
}

#[actix_web::test]
async fn no_user_is_admitted_while_the_server_does_not_answer() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(ACTIVE)));
    let patient = asking(&issuer, &endpoint);
    let impatient = verifier(
        &issuer,
        client(&endpoint.url()).timeout(Duration::from_millis(100)),
    );
    let token = issuer.as_admin().token();
    let unknown = refused(503, "revocation_unknown");

    for (status, body) in [
        ("500 Internal Server Error", ACTIVE),
        ("503 Service Unavailable", ACTIVE),
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#),
        ("307 Temporary Redirect", ACTIVE),
        ("203 Non-Authoritative Information", ACTIVE),
        ("204 No Content", ""),
        ("200 OK", ""),
        ("200 OK", "active"),
        ("200 OK", "{}"),
        ("200 OK", "[true]"),
        ("200 OK", r#"{"active":"true"}"#),
        ("200 OK", r#"{"active":1}"#),
        ("200 OK", r#"{"active":null}"#),
        ("200 OK", r#"{"active":false,"active":true}"#),
        ("200 OK", r#"{"active":true"#),
        ("200 OK", r#"{"Active":true}"#),
    ] {
        endpoint.set(Reaction::Respond(status, body.to_owned()));
        for path in ["/user", "/admin", "/optional"] {
            assert_eq!(get_as(&patient, path, &token).await, unknown, "{status}: {body}");
        }
    }
    let long = format!(r#"{{"active":true,"name":"{}"}}"#, "a".repeat(64 * 1024));
    endpoint.set(Reaction::Respond("200 OK", long));
    assert_eq!(get_as(&patient, "/user", &token).await, unknown);
    endpoint.set(Reaction::Close);
    assert_eq!(get_as(&patient, "/user", &token).await, unknown);
    for reaction in [Reaction::Hang, Reaction::Stall] {
        endpoint.set(reaction);
        assert_eq!(get_as(&impatient, "/user", &token).await, unknown);
    }

    // The server is asked again on the next request.
    endpoint.set(ok(ACTIVE));
    assert_eq!(get_as(&patient, "/admin", &token).await, admitted("Test User"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let unreachable = verifier(&issuer, client(&format!("http://{closed}/oauth/introspect")));
    assert_eq!(get_as(&unreachable, "/user", &token).await, unknown);
}

#[actix_web::test]
async fn a_request_waits_two_seconds_for_the_answer() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(Reaction::Hang));
    let verifier = asking(&issuer, &endpoint);

    let began = Instant::now();
    let outcome = get_as(&verifier, "/user", &issuer.as_user().token()).await;

    assert_eq!(outcome, refused(503, "revocation_unknown"));
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[actix_web::test]
async fn a_users_token_is_never_admitted_without_asking() {
    let (issuer, endpoint) = (Issuer::new(SERVICE), Endpoint::start(ok(ACTIVE)));
    let verifier = asking(&issuer, &endpoint);
    let ada = issuer.as_user();

    let outcome = verifier.verify_with_current_keys(&ada.token());
    assert_eq!(outcome, Err(AuthError::RevocationUnknown));
    assert_eq!(
        verifier.verify(&ada.token()).await,
        Ok(Principal::User(ada.user()))
    );
}

#[test]
fn a_url_that_is_not_http_is_refused_and_debug_shows_no_secret() {
    for url in ["", "file:///introspect", "/oauth/introspect", "localhost:8081"] {
        let error = Introspection::at(url, SERVICE, "secret".into()).unwrap_err();
        assert!(
            error.to_string().contains("is not an http or https URL"),
            "{error}"
        );
    }
    let client = client("http://localhost/oauth/introspect");
    assert!(!format!("{client:?}").contains("se cret"));
}
