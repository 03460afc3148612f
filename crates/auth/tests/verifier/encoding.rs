//! The encoding of a token: length, parts, base64url and JSON.

use super::*;

#[test]
fn a_token_of_8_kib_is_admitted_and_a_longer_one_refused() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    let of_length = |bytes: usize| {
        // Base64url does not produce every length, so both parts are padded.
        (0..3)
            .flat_map(|a| (5_000..6_200).map(move |b| (a, b)))
            .map(|(a, b)| {
                (
                    with(header(), "pad", json!("a".repeat(a))),
                    with(ada.clone(), "name", json!("b".repeat(b))),
                )
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
    assert_admitted(&forge, &longest);
    assert_refused(&forge, &too_long, TokenFault::TooLong);
    assert_refused(&forge, &"a".repeat(10_000_000), TokenFault::TooLong);
}

#[test]
fn a_token_has_exactly_three_parts() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    let token = forge.token(&header(), &ada);
    let parts: Vec<&str> = token.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);

    for (text, fault) in [
        (String::new(), TokenFault::Malformed),
        (".".to_owned(), TokenFault::Malformed),
        ("..".to_owned(), TokenFault::Malformed),
        ("....".to_owned(), TokenFault::Malformed),
        (h.to_owned(), TokenFault::Malformed),
        (format!("{h}.{p}"), TokenFault::Malformed),
        (forge.seal(h), TokenFault::Malformed),
        (format!(".{p}.{s}"), TokenFault::Malformed),
        (forge.seal(&format!(".{p}")), TokenFault::Malformed),
        (format!("{h}..{s}"), TokenFault::Signature),
        (forge.seal(&format!("{h}.")), TokenFault::Malformed),
        (format!("{h}.{p}."), TokenFault::Signature),
        (format!("{token}."), TokenFault::Signature),
        (format!("{token}.{s}"), TokenFault::Signature),
        (forge.seal(&token), TokenFault::Malformed),
        (forge.seal(&format!("{token}.{s}")), TokenFault::Malformed),
        (format!(".{token}"), TokenFault::Malformed),
        (format!("{token}{token}"), TokenFault::Signature),
        (format!(" {token}"), TokenFault::Malformed),
        (format!("{token} "), TokenFault::Signature),
        (format!("{token}\n"), TokenFault::Signature),
        (format!("{token}\r\n"), TokenFault::Signature),
        (format!("{token}\0"), TokenFault::Signature),
        (format!("{h}.{p}\n.{s}"), TokenFault::Signature),
        (forge.seal(&format!("{h}.{p}\n")), TokenFault::Malformed),
        (forge.seal(&format!("{h}\n.{p}")), TokenFault::Malformed),
        (forge.seal(&format!("{h}.\u{430}{p}")), TokenFault::Malformed),
    ] {
        assert_refused(&forge, &text, fault);
    }
    assert_admitted(&forge, &token);
}

#[test]
fn a_token_has_one_valid_encoding() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    // With 3n + 1 bytes, four bits of the last character and two padding characters are unused.
    let pad_to = |mut text: String| {
        while text.len() % 3 != 1 {
            text.push(' ');
        }
        text
    };
    let (header, payload) = (pad_to(header().to_string()), pad_to(ada.to_string()));
    let token = forge.sign(&header, &payload);
    assert_admitted(&forge, &token);

    let (signed, s) = token.rsplit_once('.').unwrap();
    let (h, p) = signed.split_once('.').unwrap();
    assert_refused(&forge, &format!("{signed}.{s}=="), TokenFault::Signature);
    assert_refused(
        &forge,
        &format!("{signed}.{}", stray_bits(s)),
        TokenFault::Signature,
    );
    for other in [
        format!("{}.{p}", URL_SAFE.encode(&header)),
        format!("{h}.{}", URL_SAFE.encode(&payload)),
        format!("{h}.{p}="),
        format!("{}.{p}", stray_bits(h)),
        format!("{h}.{}", stray_bits(p)),
    ] {
        assert_refused(&forge, &forge.seal(&other), TokenFault::Malformed);
    }

    // `>` and `?` produce the characters in which base64 and base64url differ.
    let url_safe = forge.sign(&header, with(ada, "name", json!("???>>>~~~")).to_string());
    assert!(url_safe.contains(['-', '_']));
    let (signed, _) = url_safe.rsplit_once('.').unwrap();
    let other_alphabet = signed.replace('-', "+").replace('_', "/");
    assert_refused(&forge, &forge.seal(&other_alphabet), TokenFault::Malformed);
}

/// Sets an unused bit of the last character. A lenient decoder reads the same bytes.
fn stray_bits(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let index = ALPHABET
        .iter()
        .position(|letter| [*letter] == last.as_bytes())
        .unwrap();
    assert_eq!(
        index % 2,
        0,
        "a canonical last character leaves the lowest bit unset"
    );
    format!("{rest}{}", ALPHABET[index + 1] as char)
}

#[test]
fn header_and_payload_must_be_json_objects() {
    let forge = Forge::new();
    let ada = claims(&forge.issuer.as_user());
    let (header, payload) = (header().to_string(), ada.to_string());

    for bad in ["", "null", "[]", "\"\"", "{", "\u{feff}{}", "{}{}"] {
        assert_refused(&forge, &forge.sign(bad, &payload), TokenFault::Malformed);
        assert_refused(&forge, &forge.sign(&header, bad), TokenFault::Malformed);
    }
    assert_refused(&forge, &forge.sign("{}", &payload), TokenFault::Malformed);
    assert_refused(&forge, &forge.sign(&header, "{}"), TokenFault::Missing);
    for around in ["\u{feff}J", "JJ", "J,", "J//", "[J]", "J\0"] {
        assert_refused(
            &forge,
            &forge.sign(around.replace('J', &header), &payload),
            TokenFault::Malformed,
        );
        assert_refused(
            &forge,
            &forge.sign(&header, around.replace('J', &payload)),
            TokenFault::Malformed,
        );
    }
    // An array of the values in order is not an object (RFC 7519 §7.2).
    assert_refused(
        &forge,
        &forge.sign(format!(r#"["EdDSA","{KID}","at+jwt"]"#), &payload),
        TokenFault::Malformed,
    );
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
    assert_refused(
        &forge,
        &forge.sign(&header, values.to_string()),
        TokenFault::Malformed,
    );
}

#[test]
fn duplicate_members_are_refused() {
    let forge = Forge::new();
    let ada = with(claims(&forge.issuer.as_user().scope("a")), "nbf", json!(0));
    let payload = ada.to_string();
    for member in ["alg", "kid", "typ"] {
        assert_refused(
            &forge,
            &forge.sign(twice(&header(), member), &payload),
            TokenFault::Malformed,
        );
    }
    let claims = ada.as_object().unwrap();
    assert_eq!(claims.len(), 14, "a claim is not covered");
    for claim in claims.keys() {
        assert_refused(
            &forge,
            &forge.sign(header().to_string(), twice(&ada, claim)),
            TokenFault::Malformed,
        );
    }
    // An escaped name is the same name.
    let escaped = payload.replacen('{', r#"{"\u0073ub":"another user","#, 1);
    assert_refused(
        &forge,
        &forge.sign(header().to_string(), escaped),
        TokenFault::Malformed,
    );
}

#[test]
fn invalid_utf_8_is_refused_everywhere() {
    let forge = Forge::new();
    let ada = with(claims(&forge.issuer.as_user()), "unread", json!("?"));
    let unread_header = with(header(), "unread", json!("?")).to_string();
    let with_invalid_byte = |text: &str, place: &str| {
        let at = text.find(place).unwrap() + place.len();
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = 0xff;
        bytes
    };
    let payload = ada.to_string();
    for place in [r#""name":""#, r#""jti":""#, r#""unread":""#, r#""na"#] {
        let token = forge.sign(header().to_string(), with_invalid_byte(&payload, place));
        assert_refused(&forge, &token, TokenFault::Malformed);
    }
    assert_refused(
        &forge,
        &forge.sign(with_invalid_byte(&unread_header, r#""unread":""#), &payload),
        TokenFault::Malformed,
    );
    assert_admitted(&forge, &forge.sign(unread_header, payload));
}
