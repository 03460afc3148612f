//! What a verifier lets in and what it refuses, token by hostile token, and that a token which was good once is judged
//! anew each time.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at what can't be")]

mod forge;

use std::sync::Barrier;

use auth::testing::Issuer;
use auth::{Fault, Keys, MAX_TOKEN_BYTES, Principal, Refusal, Revocation, Revocations, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use forge::{Forge, KID, SERVICE, claims, header, jwk, with};

const SECRET: &str = "abcdefghijklmnopqrstuvwxyz012345";

fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().unwrap().remove(member).unwrap();
    object
}

/// The object's text with one member written a second time.
fn twice(object: &Value, member: &str) -> String {
    let text = object.to_string();
    format!("{},\"{member}\":{}}}", text.strip_suffix('}').unwrap(), object[member])
}

#[track_caller]
fn assert_refused(forge: &Forge, token: &str, fault: Fault) {
    assert_eq!(forge.verify(token), Err(Refusal::InvalidToken(fault)), "{token}");
}

#[track_caller]
fn assert_let_in(forge: &Forge, token: &str) {
    assert!(forge.verify(token).is_ok(), "{:?}: {token}", forge.verify(token));
}

#[test]
fn a_person_is_who_the_token_says() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_roles(&["user", "support"]).name("Ada").scope("a b:c").epoch(7));
    let Ok(Principal::User(user)) = forge.verify(&forge.token(&header(), &ada)) else { panic!("let in") };

    assert_eq!(user.id().to_string(), ada["sub"]);
    assert_eq!(user.session_id().to_string(), ada["sid"]);
    assert_eq!(user.epoch(), 7);
    assert_eq!((user.name(), user.email()), ("Ada", ada["email"].as_str().unwrap()));
    assert_eq!(user.token_id(), ada["jti"]);
    assert_eq!(user.expires_at().timestamp(), ada["exp"]);
    assert!(user.has_role("support") && !user.has_role("sup") && !user.is_admin());
    assert!(user.has_scope("a") && user.has_scope("b:c"));
    assert!(!user.has_scope("b") && !user.has_scope("") && !user.has_scope("a b:c"));
    assert!(!format!("{user:?}").contains("Ada"), "names have no place in a log");
}

#[test]
fn a_service_is_who_the_token_says() {
    let forge = Forge::new();
    let caller = claims(&forge.issuer.as_service("gateway").scope("a b"));
    let Ok(Principal::Service(service)) = forge.verify(&forge.token(&header(), &caller)) else {
        panic!("let in")
    };

    assert_eq!(service.name(), "gateway");
    assert!(service.is("gateway") && !service.is("gate"));
    assert!(service.has_scope("b") && !service.has_scope("a b"));
    assert_eq!(service.token_id(), caller["jti"]);
}

#[test]
fn a_header_may_be_written_in_several_ways() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for good in [
        header(),
        with(header(), "typ", json!("AT+JWT")),
        with(header(), "typ", json!("application/at+jwt")),
        with(header(), "typ", json!("Application/At+Jwt")),
        with(header(), "cty", json!("whatever")),
        with(header(), "nested", nested(100)),
    ] {
        assert_let_in(&forge, &forge.token(&good, &ada));
    }
    assert_let_in(&forge, &forge.sign(format!(" \n{}\t", header()), ada.to_string()));
}

#[test]
fn where_a_key_could_be_had_from_is_never_looked_at() {
    let (forge, stranger) = (Forge::new(), Forge::new());
    let ada = claims(&forge.issuer.as_user());
    for (member, value) in [
        ("jwk", jwk(stranger.public_key())),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/x5u")),
        ("x5c", json!(["AAAA"])),
        ("x5c", json!(17)),
    ] {
        let header = with(header(), member, value);
        assert_let_in(&forge, &forge.token(&header, &ada));
        assert_refused(&forge, &stranger.token(&header, &ada), Fault::Signature);
    }
}

#[test]
fn a_header_that_is_not_an_access_tokens_is_refused() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for (bad, fault) in [
        (without(header(), "typ"), Fault::Type),
        (with(header(), "typ", Value::Null), Fault::Type),
        (with(header(), "typ", json!("JWT")), Fault::Type),
        (with(header(), "typ", json!("at+jwt ")), Fault::Type),
        (with(header(), "typ", json!("text/at+jwt")), Fault::Type),
        (with(header(), "typ", json!(["at+jwt"])), Fault::Malformed),
        (with(header(), "crit", Value::Null), Fault::Critical),
        (with(header(), "crit", json!([])), Fault::Critical),
        (with(header(), "crit", json!(["exp"])), Fault::Critical),
        (with(with(header(), "b64", json!(false)), "crit", json!(["b64"])), Fault::Critical),
        (without(header(), "kid"), Fault::UnknownKey),
        (with(header(), "kid", Value::Null), Fault::UnknownKey),
        (with(header(), "kid", json!("")), Fault::UnknownKey),
        (with(header(), "kid", json!("K")), Fault::UnknownKey),
        (with(header(), "kid", json!("../k")), Fault::UnknownKey),
        (with(header(), "kid", json!([KID])), Fault::Malformed),
        (without(header(), "alg"), Fault::Malformed),
        (with(header(), "alg", Value::Null), Fault::Malformed),
        (with(header(), "alg", json!(["EdDSA"])), Fault::Malformed),
        (with(header(), "alg", json!("eddsa")), Fault::Algorithm),
        (with(header(), "alg", json!("EdDSA ")), Fault::Algorithm),
        (with(header(), "alg", json!("ES256")), Fault::Algorithm),
        (with(header(), "alg", json!("HS256")), Fault::Algorithm),
        (with(header(), "alg", json!("")), Fault::Algorithm),
    ] {
        assert_refused(&forge, &forge.token(&bad, &ada), fault);
    }
}

#[test]
fn the_algorithm_is_the_keys_whatever_the_token_says() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for none in ["none", "None", "NONE", "nOnE"] {
        let token = forge.token(&with(header(), "alg", json!(none)), &ada);
        assert_refused(&forge, &token, Fault::Algorithm);
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_refused(&forge, &format!("{unsigned}."), Fault::Algorithm);
    }

    // The oldest trick: what everybody may know of the key, taken as a shared secret.
    let x = URL_SAFE_NO_PAD.encode(forge.public_key());
    let key = jwk(forge.public_key()).to_string();
    for secret in [forge.public_key(), x.as_bytes(), key.as_bytes(), b""] {
        for alg in [jsonwebtoken::Algorithm::HS256, jsonwebtoken::Algorithm::HS512] {
            let header =
                Header { typ: Some("at+jwt".to_owned()), kid: Some(KID.to_owned()), ..Header::new(alg) };
            let token = jsonwebtoken::encode(&header, &ada, &EncodingKey::from_secret(secret)).unwrap();
            assert_refused(&forge, &token, Fault::Algorithm);
        }
    }
}

#[test]
fn with_a_shared_secret_no_kid_is_needed() {
    let issuer = Issuer::with_secret(SERVICE, SECRET);
    let verifier = issuer.verifier();
    let verify = |token: &str| verifier.verify_with_held_keys(token).map(drop);

    assert_eq!(verify(&issuer.as_user().token()), Ok(()));
    assert_eq!(
        verify(&issuer.as_user().with(|header, _| header.kid = Some("any".to_owned())).token()),
        Ok(())
    );
    assert_eq!(
        verify(&issuer.as_user().signed_by_a_stranger().token()),
        Err(Refusal::InvalidToken(Fault::Signature))
    );
    for other in [Forge::new().issuer.as_user().token(), hs512(&issuer)] {
        assert_eq!(verify(&other), Err(Refusal::InvalidToken(Fault::Algorithm)), "{other}");
    }
}

fn hs512(issuer: &Issuer) -> String {
    issuer.as_user().with(|header, _| header.alg = jsonwebtoken::Algorithm::HS512).token()
}

#[test]
fn claims_may_be_written_in_several_ways() {
    let forge = Forge::new();
    let (ada, gateway) = (claims(&forge.issuer.as_user()), claims(&forge.issuer.as_service("gateway")));
    for good in [
        with(ada.clone(), "aud", json!("platform")),
        with(ada.clone(), "aud", json!(["else", "platform"])),
        with(ada.clone(), "unknown", json!({"a": [1.5, null]})),
        with(ada.clone(), "unknown", nested(100)),
        with(ada.clone(), "exp", json!(i64::MAX)),
        with(ada.clone(), "nbf", json!(0)),
        without(ada.clone(), "email"),
        without(ada.clone(), "name"),
        without(ada.clone(), "roles"),
        without(ada.clone(), "scope"),
        with(gateway.clone(), "aud", json!(SERVICE)),
        with(gateway.clone(), "epoch", json!(1)),
        without(gateway, "scope"),
    ] {
        assert_let_in(&forge, &forge.token(&header(), &good));
    }
    // Deeper than any parser that recurses would go.
    let deep = format!("{{\"deep\":{}{},{}", "[".repeat(2_000), "]".repeat(2_000), &ada.to_string()[1..]);
    assert_let_in(&forge, &forge.sign(header().to_string(), deep));
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| json!([inner]))
}

#[test]
fn a_person_needs_each_claim_in_its_own_type() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    for needed in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
        assert_refused(&forge, &forge.token(&header(), &without(ada.clone(), needed)), Fault::Malformed);
        for retyped in [Value::Null, json!(true), json!({}), json!([[]])] {
            let token = forge.token(&header(), &with(ada.clone(), needed, retyped));
            assert_refused(&forge, &token, Fault::Malformed);
        }
    }
    for (claim, value, fault) in [
        ("iss", json!("http://localhost:8080/"), Fault::Issuer),
        ("iss", json!("HTTP://LOCALHOST:8080"), Fault::Issuer),
        ("iss", json!(""), Fault::Issuer),
        ("iss", json!(["http://localhost:8080"]), Fault::Malformed),
        ("aud", json!([]), Fault::Audience),
        ("aud", json!(""), Fault::Audience),
        ("aud", json!("Platform"), Fault::Audience),
        ("aud", json!("platform else"), Fault::Audience),
        ("aud", json!([SERVICE]), Fault::Audience),
        ("aud", json!(["platform", 5]), Fault::Malformed),
        ("exp", json!(forge.now().to_string()), Fault::Malformed),
        ("exp", json!(4_102_444_800.5), Fault::Malformed),
        ("exp", json!(u64::MAX), Fault::Malformed),
        ("nbf", Value::Null, Fault::Malformed),
        ("nbf", json!("0"), Fault::Malformed),
        ("iat", json!("0"), Fault::Malformed),
        ("sub", json!("ada"), Fault::Claims),
        ("sub", json!(""), Fault::Claims),
        ("sub", json!("01890A5D-AC96-774B-BCCE-B302099A8057"), Fault::Claims),
        ("sub", json!("urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057"), Fault::Claims),
        ("sid", Value::Null, Fault::Claims),
        ("sid", json!("here"), Fault::Malformed),
        ("epoch", Value::Null, Fault::Claims),
        ("epoch", json!("0"), Fault::Malformed),
        ("epoch", json!(0.0), Fault::Malformed),
        ("email", json!(1), Fault::Malformed),
        ("name", json!(["Ada"]), Fault::Malformed),
        ("roles", json!("admin"), Fault::Malformed),
        ("roles", json!(["admin", 1]), Fault::Malformed),
        ("scope", json!(["a"]), Fault::Malformed),
        ("scope", Value::Null, Fault::Malformed),
        // A person who calls themselves a client would be a service, and is none.
        ("client_id", ada["sub"].clone(), Fault::Audience),
    ] {
        assert_refused(&forge, &forge.token(&header(), &with(ada.clone(), claim, value)), fault);
    }
    for needed in ["sid", "epoch"] {
        assert_refused(&forge, &forge.token(&header(), &without(ada.clone(), needed)), Fault::Claims);
    }
}

#[test]
fn a_service_is_no_person_and_calls_only_whom_its_token_is_for() {
    let forge = Forge::new();
    let gateway = claims(&forge.issuer.as_service("gateway"));
    for (claim, value, fault) in [
        ("aud", json!("product-service"), Fault::Audience),
        ("aud", json!("platform"), Fault::Audience),
        ("roles", json!(["admin"]), Fault::Claims),
        ("roles", json!([]), Fault::Claims),
        ("sid", json!(Uuid::new_v4()), Fault::Claims),
        // Whom it speaks for and who asked for it differ: that is a person's token, for another audience.
        ("client_id", json!("product-service"), Fault::Audience),
    ] {
        assert_refused(&forge, &forge.token(&header(), &with(gateway.clone(), claim, value)), fault);
    }
    let nobody = with(with(gateway, "sub", json!("")), "client_id", json!(""));
    assert_refused(&forge, &forge.token(&header(), &nobody), Fault::Claims);
}

#[test]
fn a_token_ends_thirty_seconds_after_its_time() {
    let forge = Forge::new();
    let now = forge.now();
    for of in [forge.issuer.as_user(), forge.issuer.as_service("gateway")] {
        let until = |exp: i64| forge.verify(&forge.token(&header(), &with(claims(&of), "exp", json!(exp))));
        assert!(until(now - 29).is_ok());
        assert_eq!(until(now - 30), Err(Refusal::Expired));
        assert_eq!(until(0), Err(Refusal::Expired));
        assert_eq!(until(i64::MIN), Err(Refusal::Expired));

        let from = |nbf: i64| forge.verify(&forge.token(&header(), &with(claims(&of), "nbf", json!(nbf))));
        assert!(from(now + 30).is_ok());
        assert_eq!(from(now + 31), Err(Refusal::InvalidToken(Fault::NotYet)));
        assert_eq!(from(i64::MAX), Err(Refusal::InvalidToken(Fault::NotYet)));
        assert!(from(i64::MIN).is_ok());
    }
}

#[test]
fn a_token_of_8_kib_is_looked_at_and_a_longer_one_is_not() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    let of_length = |bytes: usize| {
        // Base64 can't have every length, so both parts are padded.
        (0..3)
            .flat_map(|a| (5_000..6_200).map(move |b| (a, b)))
            .map(|(a, b)| {
                (with(header(), "pad", json!("a".repeat(a))), with(ada.clone(), "name", json!("b".repeat(b))))
            })
            .find(|(header, claims)| {
                let encoded = |json: &Value| (json.to_string().len() * 4).div_ceil(3);
                encoded(header) + 1 + encoded(claims) + 1 + 86 == bytes
            })
            .map(|(header, claims)| forge.token(&header, &claims))
            .unwrap()
    };
    let (longest, too_long) = (of_length(MAX_TOKEN_BYTES), of_length(MAX_TOKEN_BYTES + 1));
    assert_eq!((longest.len(), too_long.len()), (8192, 8193));
    assert_let_in(&forge, &longest);
    assert_refused(&forge, &too_long, Fault::TooLong);
    assert_refused(&forge, &"a".repeat(10_000_000), Fault::TooLong);
}

#[test]
fn a_token_has_three_parts_and_nothing_around_them() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    let token = forge.token(&header(), &ada);
    let parts: Vec<&str> = token.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);

    for (text, fault) in [
        (String::new(), Fault::Malformed),
        (".".to_owned(), Fault::Malformed),
        ("..".to_owned(), Fault::Malformed),
        ("....".to_owned(), Fault::Malformed),
        (h.to_owned(), Fault::Malformed),
        (format!("{h}.{p}"), Fault::Malformed),
        (forge.seal(h), Fault::Malformed),
        (format!(".{p}.{s}"), Fault::Malformed),
        (forge.seal(&format!(".{p}")), Fault::Malformed),
        (format!("{h}..{s}"), Fault::Signature),
        (forge.seal(&format!("{h}.")), Fault::Malformed),
        (format!("{h}.{p}."), Fault::Signature),
        (format!("{token}."), Fault::Signature),
        (format!("{token}.{s}"), Fault::Signature),
        (forge.seal(&token), Fault::Malformed),
        (forge.seal(&format!("{token}.{s}")), Fault::Malformed),
        (format!(".{token}"), Fault::Malformed),
        (format!("{token}{token}"), Fault::Signature),
        (format!(" {token}"), Fault::Malformed),
        (format!("{token} "), Fault::Signature),
        (format!("{token}\n"), Fault::Signature),
        (format!("{token}\r\n"), Fault::Signature),
        (format!("{token}\0"), Fault::Signature),
        (format!("{h}.{p}\n.{s}"), Fault::Signature),
        (forge.seal(&format!("{h}.{p}\n")), Fault::Malformed),
        (forge.seal(&format!("{h}\n.{p}")), Fault::Malformed),
        (forge.seal(&format!("{h}.\u{430}{p}")), Fault::Malformed),
    ] {
        assert_refused(&forge, &text, fault);
    }
    assert_let_in(&forge, &token);
}

#[test]
fn a_token_has_one_spelling() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    // Lengths of 3n + 1 bytes leave four bits of the last character, and two characters of padding, unused.
    let pad_to = |mut text: String| {
        while text.len() % 3 != 1 {
            text.push(' ');
        }
        text
    };
    let (header, payload) = (pad_to(header().to_string()), pad_to(ada.to_string()));
    let token = forge.sign(&header, &payload);
    assert_let_in(&forge, &token);

    let (signed, s) = token.rsplit_once('.').unwrap();
    let (h, p) = signed.split_once('.').unwrap();
    assert_refused(&forge, &format!("{signed}.{s}=="), Fault::Signature);
    assert_refused(&forge, &format!("{signed}.{}", stray_bits(s)), Fault::Signature);
    for other in [
        format!("{}.{p}", URL_SAFE.encode(&header)),
        format!("{h}.{}", URL_SAFE.encode(&payload)),
        format!("{h}.{p}="),
        format!("{}.{p}", stray_bits(h)),
        format!("{h}.{}", stray_bits(p)),
    ] {
        assert_refused(&forge, &forge.seal(&other), Fault::Malformed);
    }

    // `>` and `?` make the characters in which the two alphabets of base64 differ.
    let odd = forge.sign(&header, with(ada, "name", json!("???>>>~~~")).to_string());
    assert!(odd.contains(['-', '_']));
    let (signed, _) = odd.rsplit_once('.').unwrap();
    let other_alphabet = signed.replace('-', "+").replace('_', "/");
    assert_refused(&forge, &forge.seal(&other_alphabet), Fault::Malformed);
}

/// The same bytes to a lenient decoder: the last character with a bit set that means nothing.
fn stray_bits(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.iter().position(|letter| [*letter] == last.as_bytes()).unwrap();
    assert_eq!(index % 2, 0, "a canonical last character leaves the lowest bit unset");
    format!("{rest}{}", ALPHABET[index + 1] as char)
}

#[test]
fn header_and_payload_are_json_objects_and_say_nothing_twice() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    let (header, payload) = (header().to_string(), ada.to_string());

    for bad in ["", "null", "[]", "{}", "\"\"", "{", "\u{feff}{}", "{}{}"] {
        assert_refused(&forge, &forge.sign(bad, &payload), Fault::Malformed);
        assert_refused(&forge, &forge.sign(&header, bad), Fault::Malformed);
    }
    for around in ["\u{feff}J", "JJ", "J,", "J//", "[J]", "J\0"] {
        assert_refused(&forge, &forge.sign(around.replace('J', &header), &payload), Fault::Malformed);
        assert_refused(&forge, &forge.sign(&header, around.replace('J', &payload)), Fault::Malformed);
    }
    // A list with the members' values in order is no object either (RFC 7519 §7.2).
    assert_refused(&forge, &forge.sign(format!(r#"["EdDSA","{KID}","at+jwt"]"#), &payload), Fault::Malformed);
    let values = json!([
        ada["iss"],
        ada["sub"],
        ada["aud"],
        ada["exp"],
        0,
        ada["iat"],
        ada["jti"],
        ada["client_id"],
        ada["sid"],
        ada["epoch"],
        ada["email"],
        ada["name"],
        ada["roles"],
        ada["scope"]
    ]);
    assert_refused(&forge, &forge.sign(&header, values.to_string()), Fault::Malformed);
}

#[test]
fn nothing_that_decides_may_be_said_twice() {
    let forge = Forge::new();
    let ada = with(claims(&forge.issuer.as_user()), "nbf", json!(0));
    let payload = ada.to_string();
    for member in ["alg", "kid", "typ"] {
        assert_refused(&forge, &forge.sign(twice(&header(), member), &payload), Fault::Malformed);
    }
    let claims = ada.as_object().unwrap();
    assert_eq!(claims.len(), 14, "each of them is tried");
    for claim in claims.keys() {
        assert_refused(&forge, &forge.sign(header().to_string(), twice(&ada, claim)), Fault::Malformed);
    }
    // Also where one of the two is spelt with an escape.
    let escaped = payload.replacen('{', r#"{"\u0073ub":"somebody else","#, 1);
    assert_refused(&forge, &forge.sign(header().to_string(), escaped), Fault::Malformed);
}

#[test]
fn what_is_not_utf_8_is_refused_wherever_it_stands() {
    let forge = Forge::new();
    let ada = with(claims(&forge.issuer.as_user()), "unread", json!("?"));
    let odd_header = with(header(), "unread", json!("?")).to_string();
    let garbled = |text: &str, place: &str| {
        let at = text.find(place).unwrap() + place.len();
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = 0xff;
        bytes
    };
    let payload = ada.to_string();
    for place in [r#""name":""#, r#""jti":""#, r#""unread":""#, r#""na"#] {
        let token = forge.sign(header().to_string(), garbled(&payload, place));
        assert_refused(&forge, &token, Fault::Malformed);
    }
    assert_refused(&forge, &forge.sign(garbled(&odd_header, r#""unread":""#), &payload), Fault::Malformed);
    assert_let_in(&forge, &forge.sign(odd_header, payload));
}

#[test]
fn a_token_seen_before_still_ends() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier();
    for token in [issuer.as_user().token(), issuer.as_service("gateway").token()] {
        assert!(verifier.verify_with_held_keys(&token).is_ok());
        assert!(verifier.verify_with_held_keys(&token).is_ok());
        issuer.clock().advance(TimeDelta::seconds(929));
        assert!(verifier.verify_with_held_keys(&token).is_ok());
        issuer.clock().advance(TimeDelta::seconds(1));
        assert_eq!(verifier.verify_with_held_keys(&token), Err(Refusal::Expired));
        issuer.clock().advance(TimeDelta::seconds(-930));
    }
}

#[test]
fn a_token_seen_before_is_refused_once_its_session_ended() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier();
    let (ada, bob) = (issuer.as_user(), issuer.as_user());
    for token in [ada.token(), bob.token()] {
        assert!(verifier.verify_with_held_keys(&token).is_ok());
    }

    let id = ada.claims().sid.unwrap();
    verifier.revocations().apply(Revocation::Session { id, expires_at: ada.claims().exp + 30 });
    assert_eq!(verifier.verify_with_held_keys(&ada.token()), Err(Refusal::Revoked));
    assert!(verifier.verify_with_held_keys(&bob.token()).is_ok());
}

#[test]
fn a_token_seen_before_is_refused_once_its_persons_rights_changed() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier();
    let id = Uuid::new_v4();
    let (before, after) =
        (issuer.as_user().id(id).epoch(3).token(), issuer.as_user().id(id).epoch(4).token());
    for token in [&before, &after] {
        assert!(verifier.verify_with_held_keys(token).is_ok());
    }

    let expires_at = issuer.clock().unix() + 930;
    verifier.revocations().apply(Revocation::User { id, epoch: 4, expires_at });
    assert_eq!(verifier.verify_with_held_keys(&before), Err(Refusal::Revoked));
    assert!(verifier.verify_with_held_keys(&after).is_ok());
}

#[test]
fn a_token_seen_before_is_refused_once_its_key_left_the_set() {
    let issuer = Issuer::new(SERVICE);
    let rotated = issuer.rotated();
    let keys = Keys::fixed(issuer.key_set());
    let verifier = issuer.verifier_with(keys.clone());
    let token = issuer.as_user().token();
    assert!(verifier.verify_with_held_keys(&token).is_ok());

    keys.replace(rotated.key_set());
    assert_eq!(verifier.verify_with_held_keys(&token), Err(Refusal::InvalidToken(Fault::UnknownKey)));
    assert!(verifier.verify_with_held_keys(&rotated.as_user().token()).is_ok());

    keys.replace(issuer.key_set());
    assert!(verifier.verify_with_held_keys(&token).is_ok());
}

#[test]
fn a_purge_can_not_race_what_is_being_remembered() {
    let issuer = Issuer::new(SERVICE);
    let (old, new) = (issuer.key_set(), issuer.rotated().key_set());
    for _ in 0..200 {
        let keys = Keys::fixed(old.clone());
        let verifier = issuer.verifier_with(keys.clone());
        let tokens: Vec<String> = (0..4).map(|_| issuer.as_user().token()).collect();
        let start = Barrier::new(3);

        std::thread::scope(|scope| {
            for tokens in tokens.chunks(2) {
                let (start, verifier) = (&start, &verifier);
                scope.spawn(move || {
                    start.wait();
                    for token in tokens {
                        drop(verifier.verify_with_held_keys(token));
                    }
                });
            }
            start.wait();
            keys.replace(new.clone());
        });
        for token in &tokens {
            let refusal = Err(Refusal::InvalidToken(Fault::UnknownKey));
            assert_eq!(verifier.verify_with_held_keys(token), refusal);
        }
    }
}

#[test]
fn without_keys_nobody_can_be_judged() {
    let issuer = Issuer::new(SERVICE);
    let verifier = issuer.verifier_with(Keys::default());
    assert!(!verifier.has_keys());
    assert_eq!(verifier.verify_with_held_keys(&issuer.as_user().token()), Err(Refusal::KeysUnavailable));
    assert!(issuer.verifier().has_keys());
}

#[test]
fn while_revocations_are_not_fully_known_people_are_refused_and_services_are_not() {
    let issuer = Issuer::new(SERVICE);
    let revocations = Revocations::new(issuer.clock().clone(), 1);
    let verifier = Verifier::builder(SERVICE, issuer.issuer(), Keys::fixed(issuer.key_set()))
        .clock(issuer.clock().clone())
        .revocations(revocations.clone())
        .build();
    let (ada, bob, gateway) = (issuer.as_user(), issuer.as_user(), issuer.as_service("gateway").token());
    let expires_at = issuer.clock().unix() + 930;
    let ended = Revocation::Session { id: bob.claims().sid.unwrap(), expires_at };
    revocations.apply(ended);
    assert!(verifier.verify_with_held_keys(&ada.token()).is_ok());

    revocations.apply(Revocation::Session { id: Uuid::new_v4(), expires_at });
    assert_eq!(verifier.verify_with_held_keys(&ada.token()), Err(Refusal::RevocationUnknown));
    assert_eq!(verifier.verify_with_held_keys(&bob.token()), Err(Refusal::Revoked), "this much is known");
    assert!(verifier.verify_with_held_keys(&gateway).is_ok());

    revocations.replace_all([ended]);
    assert!(verifier.verify_with_held_keys(&ada.token()).is_ok());
}
