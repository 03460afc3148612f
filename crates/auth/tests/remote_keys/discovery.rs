//! Keys of an issuer whose metadata says where its key set is.

use super::*;

const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// A publisher that is an issuer with this key set. Its metadata is at this path.
fn issuer_with(metadata_path: &'static str, jwks: &Value) -> (Publisher, String) {
    let publisher = Publisher::start(Response::Wait);
    let issuer = publisher.url_of("");
    let metadata = json!({"issuer": issuer, "jwks_uri": publisher.url_of("/keys")});
    publisher.set_response(Response::ByPath(vec![
        (metadata_path, metadata),
        ("/keys", jwks.clone()),
    ]));
    (publisher, issuer)
}

#[tokio::test]
async fn the_key_set_of_an_issuer_is_found_by_its_metadata() {
    let signer = Issuer::new("a");
    for path in [OPENID, OAUTH] {
        let (_publisher, issuer) = issuer_with(path, &signer.jwks());
        let keys = Keys::remote(RemoteKeys::discover(&issuer).unwrap());

        until("a key set is loaded", || keys.is_loaded()).await;
        assert_eq!(held(&keys), ids(&signer.jwks()), "{path}");
    }
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let signer = Issuer::new("a");
    let publisher = Publisher::start(Response::Wait);
    let metadata = json!({"issuer": "http://127.0.0.1:1", "jwks_uri": publisher.url_of("/keys")});
    publisher.set_response(Response::ByPath(vec![
        (OPENID, metadata),
        ("/keys", signer.jwks()),
    ]));
    let keys = Keys::remote(RemoteKeys::discover(&publisher.url_of("")).unwrap());

    keys.refetch(RefetchReason::Announced).await;
    assert!(!keys.is_loaded());
}

#[tokio::test]
async fn a_key_set_that_moves_is_found_again() {
    let (first, second) = (Issuer::new("a"), Issuer::new("a"));
    let (publisher, issuer) = issuer_with(OPENID, &first.jwks());
    let keys = Keys::remote(RemoteKeys::discover(&issuer).unwrap());
    until("a key set is loaded", || keys.is_loaded()).await;

    let metadata = json!({"issuer": issuer, "jwks_uri": publisher.url_of("/moved")});
    publisher.set_response(Response::ByPath(vec![
        (OPENID, metadata),
        ("/moved", second.jwks()),
    ]));
    keys.refetch(RefetchReason::Announced).await;
    assert_eq!(held(&keys), ids(&second.jwks()));
}

#[tokio::test]
async fn a_sole_key_without_kid_is_fetched_again_when_a_signature_does_not_match() {
    let without_kid = |issuer: &Issuer| {
        let mut jwks = issuer.jwks();
        jwks["keys"][0].as_object_mut().unwrap().remove("kid");
        jwks
    };
    let (old, new) = (Issuer::new("a"), Issuer::new("a"));
    let publisher = Publisher::start(document(&without_kid(&old)));
    let remote = RemoteKeys::at(&publisher.url()).unwrap();
    let verifier = new.verifier_with(Keys::remote(remote.unknown_key_cooldown(Duration::ZERO)));
    let refused = Err(AuthError::InvalidToken(TokenFault::Signature));
    assert_eq!(verifier.verify(&new.as_user().token()).await, refused);

    publisher.set_response(document(&without_kid(&new)));
    assert!(verifier.verify(&new.as_user().token()).await.is_ok());
}

#[tokio::test]
async fn the_applications_own_client_fetches_the_keys() {
    let signer = Issuer::new("a");
    let publisher = Publisher::start(document(&signer.jwks()));
    // The host exists only for this client.
    let address = publisher
        .url()
        .replace("http://", "")
        .replace("/.well-known/jwks.json", "");
    let client = reqwest::Client::builder()
        .no_proxy()
        .resolve("keys.example", address.parse().unwrap())
        .build()
        .unwrap();
    let port = address.rsplit(':').next().unwrap();
    let remote = RemoteKeys::at(&format!("http://keys.example:{port}/jwks")).unwrap();
    let keys = Keys::remote(remote.http_client(client));

    until("a key set is loaded", || keys.is_loaded()).await;
}
