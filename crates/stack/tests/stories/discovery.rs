//! The documents that a program needs to verify tokens, found through the gateway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use test_kit::Client;

use crate::sandbox::Sandbox;

/// A part of a JWT.
fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn the_issuer_of_a_token_leads_to_the_keys_that_verify_it() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let pair = platform.register_ada().await;
    let token = pair["access_token"].as_str().unwrap();
    let issuer = part(token, 1)["iss"].as_str().unwrap().to_owned();
    assert_eq!(issuer, format!("http://localhost:{}", sandbox.port_base));

    // RFC 8414 §3: the well-known path follows the issuer's origin.
    let metadata = Client::new(&issuer)
        .get("/.well-known/oauth-authorization-server")
        .await;
    let metadata = metadata.assert(200, json!({"issuer": issuer})).json();
    let jwks_url = metadata["jwks_uri"].as_str().unwrap();
    let keys = Client::new(jwks_url).get("").await.assert_status(200).json();
    let key_id = &part(token, 0)["kid"];
    let keys = keys["keys"].as_array().unwrap();
    assert!(keys.iter().any(|key| key["kid"] == *key_id), "{key_id}: {keys:?}");
}
