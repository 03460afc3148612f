//! Headers and claims: which are required, and how they are read.

use super::*;

#[test]
fn a_users_token_yields_the_user() {
    let forge = Forge::new();
    let ada = claims(
        &forge
            .issuer
            .as_roles(&["user", "support"])
            .name("Ada")
            .scope("a b:c")
            .epoch(7),
    );
    let Ok(Principal::User(user)) = forge.verify(&forge.token(&header(), &ada)) else {
        panic!("the token was refused")
    };

    assert_eq!(user.id().to_string(), ada["sub"]);
    assert_eq!(user.session_id().unwrap().to_string(), ada["sid"]);
    assert_eq!(user.epoch(), Some(7));
    assert_eq!(
        (user.subject(), user.issuer()),
        (ada["sub"].as_str().unwrap(), forge.issuer.issuer())
    );
    assert_eq!(
        (user.name(), user.email()),
        ("Ada", ada["email"].as_str().unwrap())
    );
    assert_eq!(user.token_id(), ada["jti"]);
    assert_eq!(user.expires_at().timestamp(), ada["exp"]);
    assert!(user.has_role("support") && !user.has_role("sup") && !user.is_admin());
    assert!(user.has_scope("a") && user.has_scope("b:c"));
    assert!(!user.has_scope("b") && !user.has_scope("") && !user.has_scope("a b:c"));
    assert!(!format!("{user:?}").contains("Ada"), "Debug shows a name");
}

#[test]
fn a_service_token_yields_the_service() {
    let forge = Forge::new();
    let caller = claims(&forge.issuer.as_service("gateway"));
    let Ok(Principal::Service(service)) = forge.verify(&forge.token(&header(), &caller)) else {
        panic!("the token was refused")
    };

    assert_eq!(service.name(), "gateway");
    assert!(service.is("gateway") && !service.is("gate"));
    assert_eq!(service.token_id(), caller["jti"]);
}

#[test]
fn equivalent_headers_are_admitted() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for good in [
        header(),
        with(header(), "typ", json!("AT+JWT")),
        with(header(), "typ", json!("application/at+jwt")),
        with(header(), "typ", json!("Application/At+Jwt")),
        with(header(), "cty", json!("any")),
        with(header(), "nested", nested(100)),
    ] {
        assert_admitted(&forge, &forge.token(&good, &ada));
    }
    assert_admitted(&forge, &forge.sign(format!(" \n{}\t", header()), ada.to_string()));
}

#[test]
fn keys_and_key_urls_in_the_header_are_ignored() {
    let (forge, other) = (Forge::new(), Forge::new());
    let ada = claims(&forge.issuer.as_user());
    for (member, value) in [
        ("jwk", jwk(other.public_key())),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/x5u")),
        ("x5c", json!(["AAAA"])),
        ("x5c", json!(17)),
    ] {
        let header = with(header(), member, value);
        assert_admitted(&forge, &forge.token(&header, &ada));
        assert_refused(&forge, &other.token(&header, &ada), TokenFault::Signature);
    }
}

#[test]
fn an_invalid_header_is_refused() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for (bad, fault) in [
        (without(header(), "typ"), TokenFault::Type),
        (with(header(), "typ", Value::Null), TokenFault::Type),
        (with(header(), "typ", json!("JWT")), TokenFault::Type),
        (with(header(), "typ", json!("at+jwt ")), TokenFault::Type),
        (with(header(), "typ", json!("text/at+jwt")), TokenFault::Type),
        (with(header(), "typ", json!(["at+jwt"])), TokenFault::Malformed),
        (with(header(), "crit", Value::Null), TokenFault::Critical),
        (with(header(), "crit", json!([])), TokenFault::Critical),
        (with(header(), "crit", json!(["exp"])), TokenFault::Critical),
        (
            with(with(header(), "b64", json!(false)), "crit", json!(["b64"])),
            TokenFault::Critical,
        ),
        (without(header(), "kid"), TokenFault::UnknownKey),
        (with(header(), "kid", Value::Null), TokenFault::UnknownKey),
        (with(header(), "kid", json!("")), TokenFault::UnknownKey),
        (with(header(), "kid", json!("K")), TokenFault::UnknownKey),
        (with(header(), "kid", json!("../k")), TokenFault::UnknownKey),
        (with(header(), "kid", json!([KID])), TokenFault::Malformed),
        (without(header(), "alg"), TokenFault::Malformed),
        (with(header(), "alg", Value::Null), TokenFault::Malformed),
        (with(header(), "alg", json!(["EdDSA"])), TokenFault::Malformed),
        (with(header(), "alg", json!("eddsa")), TokenFault::Algorithm),
        (with(header(), "alg", json!("EdDSA ")), TokenFault::Algorithm),
        (with(header(), "alg", json!("ES256")), TokenFault::Algorithm),
        (with(header(), "alg", json!("HS256")), TokenFault::Algorithm),
        (with(header(), "alg", json!("")), TokenFault::Algorithm),
    ] {
        assert_refused(&forge, &forge.token(&bad, &ada), fault);
    }
}

#[test]
fn the_key_decides_the_algorithm() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for none in ["none", "None", "NONE", "nOnE"] {
        let token = forge.token(&with(header(), "alg", json!(none)), &ada);
        assert_refused(&forge, &token, TokenFault::Algorithm);
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_refused(&forge, &format!("{unsigned}."), TokenFault::Algorithm);
    }

    // The public key must not be accepted as a shared secret (RFC 8725 §2.1).
    let x = URL_SAFE_NO_PAD.encode(forge.public_key());
    let key = jwk(forge.public_key()).to_string();
    for secret in [forge.public_key(), x.as_bytes(), key.as_bytes(), b""] {
        for alg in [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS512] {
            let header = Header {
                typ: Some("at+jwt".to_owned()),
                kid: Some(KID.to_owned()),
                ..Header::new(alg)
            };
            let token = jsonwebtoken::encode(&header, &ada, &EncodingKey::from_secret(secret)).unwrap();
            assert_refused(&forge, &token, TokenFault::Algorithm);
        }
    }
}

#[test]
fn a_token_with_a_shared_secret_needs_no_kid() {
    let issuer = Issuer::with_secret(SERVICE, SECRET);
    let verifier = issuer.verifier();
    let verify = |token: &str| verifier.verify_with_current_keys(token).map(drop);

    assert_eq!(verify(&issuer.as_user().token()), Ok(()));
    assert_eq!(
        verify(
            &issuer
                .as_user()
                .with(|header, _| header.kid = Some("any".to_owned()))
                .token()
        ),
        Ok(())
    );
    assert_eq!(
        verify(&issuer.as_user().signed_by_a_stranger().token()),
        Err(AuthError::InvalidToken(TokenFault::Signature))
    );
    for other_token in [Forge::new().issuer.as_user().token(), hs512(&issuer)] {
        assert_eq!(
            verify(&other_token),
            Err(AuthError::InvalidToken(TokenFault::Algorithm)),
            "{other_token}"
        );
    }
}

fn hs512(issuer: &Issuer) -> String {
    issuer
        .as_user()
        .with(|header, _| header.alg = jsonwebtoken::Algorithm::HS512)
        .token()
}

#[test]
fn optional_and_unknown_claims_are_admitted() {
    let forge = Forge::new();
    let (ada, gateway) = (
        claims(&forge.issuer.as_user().scope("a")),
        claims(&forge.issuer.as_service("gateway").scope("a")),
    );
    for good in [
        with(ada.clone(), "aud", json!("platform")),
        with(ada.clone(), "aud", json!(["else", "platform"])),
        with(ada.clone(), "unknown", json!({"a": [1.5, null]})),
        with(ada.clone(), "unknown", nested(100)),
        with(ada.clone(), "exp", json!(i64::MAX)),
        with(ada.clone(), "exp", json!(4_102_444_800.5)),
        with(ada.clone(), "exp", json!(4.1e9)),
        with(ada.clone(), "iat", json!(1_700_000_000.5)),
        with(ada.clone(), "nbf", json!(0)),
        without(ada.clone(), "email"),
        without(ada.clone(), "name"),
        without(ada.clone(), "roles"),
        without(ada.clone(), "scope"),
        with(ada.clone(), "scope", Value::Null),
        with(gateway.clone(), "aud", json!(SERVICE)),
        with(gateway.clone(), "epoch", json!(1)),
        without(gateway, "scope"),
    ] {
        assert_admitted(&forge, &forge.token(&header(), &good));
    }
    // Deeper than the recursion limit of common parsers.
    let deep = format!(
        "{{\"deep\":{}{},{}",
        "[".repeat(2_000),
        "]".repeat(2_000),
        &ada.to_string()[1..]
    );
    assert_admitted(&forge, &forge.sign(header().to_string(), deep));
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| json!([inner]))
}

#[test]
fn a_users_token_needs_each_claim_with_its_type() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for needed in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        assert_refused(
            &forge,
            &forge.token(&header(), &without(ada.clone(), needed)),
            TokenFault::Missing,
        );
        let null = with(ada.clone(), needed, Value::Null);
        assert_refused(&forge, &forge.token(&header(), &null), TokenFault::Missing);
        for retyped in [json!(true), json!({}), json!([[]])] {
            let token = forge.token(&header(), &with(ada.clone(), needed, retyped));
            assert_refused(&forge, &token, TokenFault::Malformed);
        }
    }
    for (claim, value, fault) in [
        ("iss", json!("http://localhost:8080/"), TokenFault::Issuer),
        ("iss", json!("HTTP://LOCALHOST:8080"), TokenFault::Issuer),
        ("iss", json!(""), TokenFault::Issuer),
        ("iss", json!(["http://localhost:8080"]), TokenFault::Malformed),
        ("aud", json!([]), TokenFault::Audience),
        ("aud", json!(""), TokenFault::Audience),
        ("aud", json!("Platform"), TokenFault::Audience),
        ("aud", json!("platform else"), TokenFault::Audience),
        ("aud", json!([SERVICE]), TokenFault::Audience),
        ("aud", json!(["platform", 5]), TokenFault::Malformed),
        ("exp", json!(forge.now().to_string()), TokenFault::Malformed),
        ("exp", json!(u64::MAX), TokenFault::Malformed),
        ("exp", json!(1e19), TokenFault::Malformed),
        ("iat", json!(1e19), TokenFault::Malformed),
        ("nbf", json!(-1e19), TokenFault::Malformed),
        ("nbf", Value::Null, TokenFault::Malformed),
        ("nbf", json!("0"), TokenFault::Malformed),
        ("iat", json!("0"), TokenFault::Malformed),
        ("jti", json!(""), TokenFault::Claims),
        ("sub", json!("ada"), TokenFault::Claims),
        ("sub", json!(""), TokenFault::Claims),
        (
            "sub",
            json!("01890A5D-AC96-774B-BCCE-B302099A8057"),
            TokenFault::Claims,
        ),
        (
            "sub",
            json!("urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057"),
            TokenFault::Claims,
        ),
        ("sid", Value::Null, TokenFault::Missing),
        ("sid", json!("here"), TokenFault::Malformed),
        ("epoch", Value::Null, TokenFault::Missing),
        ("epoch", json!("0"), TokenFault::Malformed),
        ("epoch", json!(0.0), TokenFault::Malformed),
        ("email", json!(1), TokenFault::Malformed),
        ("name", json!(["Ada"]), TokenFault::Malformed),
        ("roles", json!("admin"), TokenFault::Malformed),
        ("roles", json!(["admin", 1]), TokenFault::Malformed),
        ("scope", json!(["a"]), TokenFault::Malformed),
        // With `client_id` equal to `sub`, the token is read as a service token.
        ("client_id", ada["sub"].clone(), TokenFault::Audience),
    ] {
        assert_refused(
            &forge,
            &forge.token(&header(), &with(ada.clone(), claim, value)),
            fault,
        );
    }
    for needed in ["sid", "epoch"] {
        assert_refused(
            &forge,
            &forge.token(&header(), &without(ada.clone(), needed)),
            TokenFault::Missing,
        );
    }
}

#[test]
fn a_service_token_has_one_audience_and_no_user_claims() {
    let forge = Forge::new();
    let gateway = claims(&forge.issuer.as_service("gateway"));
    for (claim, value, fault) in [
        ("aud", json!("product-service"), TokenFault::Audience),
        ("aud", json!("platform"), TokenFault::Audience),
        ("roles", json!(["admin"]), TokenFault::Claims),
        ("roles", json!([]), TokenFault::Claims),
        ("jti", json!(""), TokenFault::Claims),
        ("sid", json!(Uuid::new_v4()), TokenFault::Claims),
        // With `client_id` different from `sub`, the token is read as a user's, whose audience is wrong.
        ("client_id", json!("product-service"), TokenFault::Audience),
    ] {
        assert_refused(
            &forge,
            &forge.token(&header(), &with(gateway.clone(), claim, value)),
            fault,
        );
    }
    let nameless = with(with(gateway, "sub", json!("")), "client_id", json!(""));
    assert_refused(&forge, &forge.token(&header(), &nameless), TokenFault::Claims);
}

#[test]
fn a_leeway_of_thirty_seconds_applies_to_exp_and_nbf() {
    let forge = Forge::new();
    let now = forge.now();
    for of in [forge.issuer.as_user(), forge.issuer.as_service("gateway")] {
        let until = |exp: i64| forge.verify(&forge.token(&header(), &with(claims(&of), "exp", json!(exp))));
        assert!(until(now - 29).is_ok());
        assert_eq!(until(now - 30), Err(AuthError::Expired));
        assert_eq!(until(0), Err(AuthError::Expired));
        assert_eq!(until(i64::MIN), Err(AuthError::Expired));

        let from = |nbf: i64| forge.verify(&forge.token(&header(), &with(claims(&of), "nbf", json!(nbf))));
        assert!(from(now + 30).is_ok());
        assert_eq!(
            from(now + 31),
            Err(AuthError::InvalidToken(TokenFault::NotYetValid))
        );
        assert_eq!(
            from(i64::MAX),
            Err(AuthError::InvalidToken(TokenFault::NotYetValid))
        );
        assert!(from(i64::MIN).is_ok());
    }
}

#[test]
fn a_fraction_of_a_second_never_lengthens_a_tokens_life() {
    let forge = Forge::new();
    let now = forge.now();
    let verify = |claim: &str, time: String| {
        let mut ada = claims(&forge.issuer.as_user()).to_string();
        let time = format!("\"{claim}\":{time}");
        if claim == "nbf" {
            ada.insert_str(1, &format!("{time},"));
        } else {
            let exp = claims_exp(&ada);
            ada = ada.replace(&exp, &time);
        }
        forge.verify(&forge.sign(header().to_string(), ada))
    };

    assert!(verify("exp", format!("{}.0", now - 29)).is_ok());
    assert!(verify("exp", format!("{}.9", now - 29)).is_ok());
    assert_eq!(verify("exp", format!("{}.9", now - 30)), Err(AuthError::Expired));
    assert!(verify("exp", format!("{}9e-1", now - 29)).is_ok());
    assert_eq!(
        verify("exp", format!("{}9e-1", now - 30)),
        Err(AuthError::Expired)
    );
    assert_eq!(verify("exp", "-1e18".to_owned()), Err(AuthError::Expired));

    let too_early = Err(AuthError::InvalidToken(TokenFault::NotYetValid));
    assert!(verify("nbf", format!("{}.9", now + 29)).is_ok());
    assert!(verify("nbf", format!("{}.0", now + 30)).is_ok());
    assert_eq!(verify("nbf", format!("{}.1", now + 30)), too_early);
    assert_eq!(verify("nbf", "9e18".to_owned()), too_early);
    assert!(verify("nbf", "-0.5".to_owned()).is_ok());
}

/// The member `exp` as it is written.
fn claims_exp(claims: &str) -> String {
    let begin = claims.find("\"exp\":").unwrap();
    let length = claims[begin..].find(',').unwrap();
    claims[begin..begin + length].to_owned()
}
