//! Bearer tokens that are not valid, and credentials that are not bearer tokens.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::contract::target::Target;

pub(super) async fn check(target: &Target<'_>) {
    let valid = target.service.user_token("ada", &["user", "admin"]).token();
    check_invalid(target, &valid).await;
    check_other_credentials(target, &valid).await;

    let twice = target
        .service
        .anonymous()
        .with_token(&valid)
        .with("authorization", &format!("Bearer {valid}"));
    target.call(&twice).await.assert_problem(400, "invalid_request");

    // RFC 6750 §2.3: a token in the query would be in logs. It is ignored there.
    let path = format!("{}?access_token={valid}", target.route.path);
    target
        .send_to(target.service.anonymous(), &path, |request| request)
        .await
        .assert_problem(401, "no_token");
}

async fn check_invalid(target: &Target<'_>, valid: &str) {
    for token in invalid(valid) {
        let client = target.service.anonymous().with_token(&token);
        let response = target.call(&client).await;
        response.assert_problem(401, "invalid_token");
        let challenge = response.header("www-authenticate");
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{token}: {challenge}"
        );
        assert_eq!(response.header("cache-control"), "no-store");
    }
}

async fn check_other_credentials(target: &Target<'_>, valid: &str) {
    for value in ["Basic YWRhOnNlY3JldA==", "Negotiate", valid] {
        let client = target.service.anonymous().with("authorization", value);
        let response = target.call(&client).await;
        response.assert_problem(401, "no_token");
        assert_eq!(
            response.header("www-authenticate"),
            r#"Bearer realm="countersign""#
        );
    }
}

/// Malformed tokens, and forgeries made from a valid one.
fn invalid(valid: &str) -> Vec<String> {
    let (signed, signature) = valid.rsplit_once('.').expect("a token has three parts");
    let (header, payload) = signed.split_once('.').expect("a token has three parts");
    let encode = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = encode(json!({"alg": "none", "typ": "at+jwt"}));
    let hs256 = encode(json!({"alg": "HS256", "typ": "at+jwt", "kid": "../../dev/null"}));
    let forged = encode(json!({"sub": "admin", "roles": ["admin"]}));
    let long = "a".repeat(9_000);
    vec![
        String::new(),
        "x".to_owned(),
        "a.b".to_owned(),
        "..".to_owned(),
        "a.b.c.d".to_owned(),
        "🙂.🙂.🙂".to_owned(),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{hs256}.{payload}.{signature}"),
        format!("{header}.{forged}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{valid} {valid}"),
        format!("{valid},{valid}"),
        format!("{header}.{long}.{signature}"),
    ]
}
