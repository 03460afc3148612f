//! Tokens that no profile may accept.

use auth::{AuthError, Profile, TokenFault};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::shapes::Shape;
use crate::signer::{KID, Signer};

/// Requires that the user's token is refused as soon as anything that matters is changed.
pub fn assert_strict(signer: &Signer, profile: &Profile, shape: &Shape) {
    assert_claims(signer, profile, shape);
    assert_types(signer, profile, shape);
    assert_signatures(signer, profile, shape);
    if let Some(id_token) = &shape.id_token {
        let outcome = signer.verify(profile, shape, id_token);
        assert!(
            matches!(outcome, Err(AuthError::InvalidToken(_))),
            "an ID token: {outcome:?}"
        );
    }
}

fn assert_claims(signer: &Signer, profile: &Profile, shape: &Shape) {
    let now = signer.clock.unix();
    let audience = if shape.user.get("aud").is_some() {
        "aud"
    } else {
        "client_id"
    };
    let refused = |fault| Err(AuthError::InvalidToken(fault));
    for (claim, value, expected) in [
        ("exp", Value::Null, refused(TokenFault::Missing)),
        (
            "exp",
            json!((now + 300).to_string()),
            refused(TokenFault::Malformed),
        ),
        ("exp", json!(now - 30), Err(AuthError::Expired)),
        ("iss", Value::Null, refused(TokenFault::Missing)),
        (
            "iss",
            json!("https://other.example.com"),
            refused(TokenFault::Issuer),
        ),
        ("iss", json!([shape.issuer]), refused(TokenFault::Malformed)),
        (audience, Value::Null, refused(TokenFault::Missing)),
        (audience, json!("another"), refused(TokenFault::Audience)),
        (
            audience,
            json!(["another", "shop"]),
            refused(TokenFault::Audience),
        ),
        (
            "cnf",
            json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
            refused(TokenFault::BoundToKey),
        ),
        ("jti", json!(""), refused(TokenFault::Claims)),
    ] {
        let mut claims = shape.user.clone();
        claims[claim] = value;
        let outcome = signer.verify(profile, shape, &claims).map(drop);
        // Another claim may have to be the same as the audience.
        let is_expected = outcome == expected || (claim == "client_id" && outcome.is_err());
        assert!(is_expected, "{claim}: {outcome:?}, not {expected:?}");
    }
    let mut early = shape.user.clone();
    early["iat"] = json!("yesterday");
    assert_eq!(
        signer.verify(profile, shape, &early).map(drop),
        refused(TokenFault::Malformed)
    );
}

fn assert_types(signer: &Signer, profile: &Profile, shape: &Shape) {
    let verifier = signer.verifier(profile, shape.issuer);
    for typ in [Some("dpop+jwt"), Some("logout+jwt"), Some("JWE"), Some("")] {
        let outcome = verifier.verify_with_current_keys(&signer.token(typ, &shape.user));
        assert_eq!(
            outcome.map(drop),
            Err(AuthError::InvalidToken(TokenFault::Type)),
            "{typ:?}"
        );
    }
}

/// The key decides the algorithm (RFC 8725 §2.1).
fn assert_signatures(signer: &Signer, profile: &Profile, shape: &Shape) {
    let verifier = signer.verifier(profile, shape.issuer);
    let token = signer.token(shape.typ, &shape.user);
    let payload = token.split('.').nth(1).unwrap();

    let none = json!({"alg": "none", "kid": KID, "typ": shape.typ}).to_string();
    let unsigned = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(none));
    let algorithm = Err(AuthError::InvalidToken(TokenFault::Algorithm));
    assert_eq!(verifier.verify_with_current_keys(&unsigned).map(drop), algorithm);

    let header = Header {
        typ: shape.typ.map(str::to_owned),
        kid: Some(KID.to_owned()),
        ..Header::new(Algorithm::HS256)
    };
    let mut claims = shape.user.clone();
    claims["exp"] = json!(signer.clock.unix() + 300);
    for secret in [signer.pem.as_str(), signer.jwk["n"].as_str().unwrap()] {
        let key = EncodingKey::from_secret(secret.as_bytes());
        let forged = jsonwebtoken::encode(&header, &claims, &key).unwrap();
        assert_eq!(verifier.verify_with_current_keys(&forged).map(drop), algorithm);
    }

    let signature = AuthError::InvalidToken(TokenFault::Signature);
    let stranger = Signer::new().token(shape.typ, &shape.user);
    assert_eq!(
        verifier.verify_with_current_keys(&stranger).map(drop),
        Err(signature)
    );
}
