//! Tokens that an issuer signs with edited headers and claims.

use std::cell::Cell;

use auth::{AuthError, TokenFault};
use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::edits::{Members, claim_edits, decoded, header_edits, members, to_text};
use crate::forge::{Forge, KID, SERVICE, claims, header};
use crate::{assert_same, reference, runner, whole_seconds};

#[derive(Clone, Copy)]
enum Type {
    Text,
    Integer,
    Date,
    Id,
    Texts,
}

impl Type {
    fn matches(self, value: &Value) -> bool {
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Date => whole_seconds(value).is_some(),
            Self::Id => value.as_str().is_some_and(|id| Uuid::parse_str(id).is_ok()),
            Self::Texts => value
                .as_array()
                .is_some_and(|texts| texts.iter().all(Value::is_string)),
        }
    }
}

/// The value of a member, or `None` if it is missing or duplicated. An unreadable value is `null`.
fn only(members: &Members, name: &str) -> Option<Value> {
    let mut values = members
        .iter()
        .filter(|(existing, _)| decoded(existing) == name)
        .map(|(_, value)| value);
    let value = serde_json::from_str(values.next()?).unwrap_or(Value::Null);
    values.next().is_none().then_some(value)
}

fn count(members: &Members, name: &str) -> usize {
    members
        .iter()
        .filter(|(existing, _)| decoded(existing) == name)
        .count()
}

/// Whether no member is duplicated, each member that is read has its type, and no required claim is missing.
fn is_well_formed(header: &Members, claims: &Members) -> bool {
    let required = |name, kind: Type| only(claims, name).is_some_and(|value| kind.matches(&value));
    let optional = |name, kind: Type, nullable: bool| match count(claims, name) {
        0 => true,
        1 => only(claims, name)
            .is_some_and(|value| kind.matches(&value) || (nullable && is_null(claims, name))),
        _ => false,
    };
    let header_text = |name| match count(header, name) {
        0 => true,
        1 => only(header, name).is_some_and(|value| value.is_string() || value.is_null()),
        _ => false,
    };
    header_text("kid")
        && header_text("typ")
        && only(header, "alg").is_some_and(|alg| alg.is_string())
        && count(header, "crit") < 2
        && ["iss", "sub", "jti", "client_id"]
            .into_iter()
            .all(|name| required(name, Type::Text))
        && (required("aud", Type::Text) || required("aud", Type::Texts))
        && ["exp", "iat"].into_iter().all(|name| required(name, Type::Date))
        && optional("nbf", Type::Date, false)
        && has_no_duplicates(claims)
        && (is_service(claims)
            || optional("sid", Type::Id, true)
                && optional("epoch", Type::Integer, true)
                && ["email", "name", "scope"]
                    .into_iter()
                    .all(|name| optional(name, Type::Text, true))
                && optional("roles", Type::Texts, true))
}

fn has_no_duplicates(members: &Members) -> bool {
    members
        .iter()
        .all(|(name, _)| count(members, &decoded(name)) == 1)
}

fn is_service(claims: &Members) -> bool {
    only(claims, "sub") == only(claims, "client_id")
}

fn is_null(members: &Members, name: &str) -> bool {
    members
        .iter()
        .any(|(existing, value)| decoded(existing) == name && value == "null")
}

/// Whether the verifier may refuse a token that `jsonwebtoken` admits. Another reason is a mistake of one of the two.
fn is_listed(error: AuthError, header: &Members, claims: &Members, now: i64) -> bool {
    let text = |members, name| only(members, name).and_then(|value| value.as_str().map(str::to_owned));
    let has = |name| count(claims, name) == 1 && !is_null(claims, name);
    let is_service = is_service(claims);
    let AuthError::InvalidToken(fault) = error else {
        // At `exp` plus leeway the verifier refuses a token, and `jsonwebtoken` admits it for one more second.
        let exp = only(claims, "exp").and_then(|exp| whole_seconds(&exp));
        return error == AuthError::Expired && exp == Some(now - 30);
    };
    match fault {
        // The token is longer than 8 KiB.
        TokenFault::TooLong => to_text(header).len() + to_text(claims).len() > 6_000,
        // A member is duplicated or has the wrong type, or a time does not fit into 64 bits.
        TokenFault::Malformed => !is_well_formed(header, claims),
        // A user has a session and an epoch.
        TokenFault::Missing => !is_well_formed(header, claims) || !has("sid") || !has("epoch"),
        // RFC 9068 §4.
        TokenFault::Type => !text(header, "typ")
            .is_some_and(|typ| ["at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str())),
        // RFC 7515 §4.1.11.
        TokenFault::Critical => count(header, "crit") == 1,
        // `jsonwebtoken` uses its one key and ignores `kid`.
        TokenFault::UnknownKey => text(header, "kid").as_deref() != Some(KID),
        // A user's token is for the platform, a service token for one service.
        TokenFault::Audience => {
            let expected = if is_service { SERVICE } else { "platform" };
            let aud = only(claims, "aud").unwrap();
            aud != json!(expected) && !aud.as_array().is_some_and(|aud| aud.contains(&json!(expected)))
        }
        // Every token has an id.
        TokenFault::Claims if text(claims, "jti").unwrap().is_empty() => true,
        // A service has a name, and neither roles nor a session.
        TokenFault::Claims if is_service => {
            text(claims, "sub").unwrap().is_empty() || has("roles") || has("sid")
        }
        // A user has a UUID in canonical form.
        TokenFault::Claims => {
            let sub = text(claims, "sub").unwrap();
            let is_id = Uuid::parse_str(&sub).is_ok_and(|id| id.to_string() == sub);
            !is_id
        }
        TokenFault::Algorithm | TokenFault::Signature | TokenFault::Issuer | TokenFault::NotYetValid | _ => {
            false
        }
    }
}

#[test]
fn both_read_signed_claims_alike_or_the_refusal_has_a_listed_reason() {
    let (both, reference_only, neither) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let increment = |cell: &Cell<u32>| cell.set(cell.get() + 1);
    let now = Forge::new().now();
    runner(4_000)
        .run(
            &(any::<bool>(), header_edits(), claim_edits(now)),
            |(is_user, header_edits, claim_edits)| {
                // A new forge each time, because its clock stands still and that of `jsonwebtoken` runs.
                let forge = Forge::new();
                let test_token = if is_user {
                    forge.issuer.as_user()
                } else {
                    forge.issuer.as_service("gateway")
                };
                let (mut header, mut claims) = (members(&header()), members(&claims(&test_token)));
                for edit in &header_edits {
                    edit.apply(&mut header);
                }
                for edit in &claim_edits {
                    edit.apply(&mut claims);
                }
                let token = forge.sign(to_text(&header), to_text(&claims));

                match (forge.verify(&token), reference(&forge, &token)) {
                    (Ok(principal), Ok(reference)) => {
                        increment(&both);
                        prop_assert!(is_well_formed(&header, &claims));
                        assert_same(&principal, &reference);
                    }
                    (Ok(principal), Err(error)) => {
                        // `jsonwebtoken` can't read a time before 1970, which is valid (RFC 7519 §2).
                        let is_before_1970 = only(&claims, "nbf")
                            .and_then(|nbf| whole_seconds(&nbf))
                            .is_some_and(|nbf| nbf < 0);
                        prop_assert!(is_before_1970, "{principal:?} is admitted despite: {error}");
                    }
                    (Err(error), Ok(_)) => {
                        increment(&reference_only);
                        let listed = is_listed(error, &header, &claims, forge.now());
                        prop_assert!(listed, "no listed reason for {error:?}");
                    }
                    (Err(_), Err(_)) => increment(&neither),
                }
                Ok(())
            },
        )
        .unwrap();
    for cell in [&both, &reference_only, &neither] {
        assert!(cell.get() > 200, "{both:?} {reference_only:?} {neither:?}");
    }
}
