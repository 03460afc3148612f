//! The rules that each accepted token must follow.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::issuers::{ISSUERS, KnownIssuer};
use super::{NOW, keys};
use crate::principal::{Principal, User};
use crate::token_verifier::MAX_TOKEN_BYTES;
use crate::verifier_builder::DEFAULT_LEEWAY;

/// Checks a token that was accepted as one of this issuer.
pub(super) fn check(index: usize, token: &[u8], principal: &Principal) {
    assert!(token.len() <= MAX_TOKEN_BYTES);
    let issuer = &ISSUERS[index];
    let parts = Parts::of(token);
    assert!(
        keys::has_signed(index, &parts.signing_input, &parts.signature),
        "not signed by the issuer's key"
    );
    check_header(issuer, &parts.header);
    let claims = &parts.payload;
    check_issuer(issuer, claims);
    check_times(claims, principal);
    for name in issuer.required {
        assert!(!claims[name].is_null(), "{name} is missing");
    }
    assert!(claims["cnf"].is_null(), "bound to a key");
    assert!((issuer.has_values)(claims), "a required value is missing");
    let is_service = (issuer.is_service)(claims);
    check_audience(issuer, claims, is_service);
    let jti = claims["jti"].as_str();
    assert_ne!(jti, Some(""));
    match principal {
        Principal::User(user) => {
            assert!(!is_service, "a service is a user");
            assert_eq!(user.token_id(), jti.unwrap_or_default());
            check_user(issuer, claims, user);
        }
        Principal::Service(service) => {
            assert!(is_service, "a user is a service");
            assert_eq!(service.token_id(), jti.unwrap_or_default());
            assert!(!service.name().is_empty() && mentions(claims, service.name()));
        }
    }
}

/// The issuer that a token of several issuers names.
pub(super) fn issuer_of(token: &[u8]) -> usize {
    let iss = Parts::of(token).payload["iss"].clone();
    let is_named = |issuer: &KnownIssuer| is_issuer(issuer, &iss);
    ISSUERS.iter().position(is_named).expect("a known issuer")
}

fn is_issuer(issuer: &KnownIssuer, iss: &Value) -> bool {
    match iss {
        Value::String(iss) => iss == issuer.url || !issuer.alias.is_empty() && iss == issuer.alias,
        Value::Null => issuer.is_anonymous,
        _ => false,
    }
}

struct Parts {
    header: Value,
    payload: Value,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
}

impl Parts {
    /// Decodes a token. It must have no other spelling.
    fn of(token: &[u8]) -> Self {
        let text = std::str::from_utf8(token).expect("text");
        let decode = |part| URL_SAFE_NO_PAD.decode(part).expect("base64url");
        let parts: Vec<_> = text.split('.').map(decode).collect();
        let [header, payload, signature] = parts.try_into().expect("three parts");
        let again = [&header, &payload, &signature].map(|part| URL_SAFE_NO_PAD.encode(part));
        assert_eq!(again.join("."), text, "another spelling");
        let (signing_input, _) = text.rsplit_once('.').expect("a dot");
        Self {
            header: object(&header),
            payload: object(&payload),
            signing_input: signing_input.into(),
            signature,
        }
    }
}

/// Whether a token has objects or arrays that are nested too deeply for `serde_json::Value`. The verifier skips what it does not read.
pub(super) fn is_too_deep(token: &[u8]) -> bool {
    token.split(|byte| *byte == b'.').any(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
        let read = serde_json::from_slice::<Value>(&json);
        read.is_err_and(|error| error.to_string().starts_with("recursion limit exceeded"))
    })
}

fn object(json: &[u8]) -> Value {
    let value: Value = serde_json::from_slice(json).expect("JSON");
    assert!(value.is_object());
    value
}

fn check_header(issuer: &KnownIssuer, header: &Value) {
    let algorithm = if issuer.has_secret { "HS256" } else { "EdDSA" };
    assert_eq!(header["alg"], algorithm);
    assert_eq!(header.get("crit"), None);
    let typ = header["typ"].as_str().map(str::to_ascii_lowercase);
    let is_taken = match &typ {
        Some(typ) => issuer
            .types
            .contains(&typ.strip_prefix("application/").unwrap_or(typ)),
        None => issuer.types.is_empty(),
    };
    assert!(is_taken, "{typ:?}");
}

fn check_issuer(issuer: &KnownIssuer, claims: &Value) {
    let iss = &claims["iss"];
    assert!(is_issuer(issuer, iss), "{iss}");
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the clock's time is a small number"
)]
fn check_times(claims: &Value, principal: &Principal) {
    let leeway = DEFAULT_LEEWAY.num_seconds();
    let exp = &claims["exp"];
    let rounded = exp.as_f64().map(|seconds| seconds.floor() as i64);
    let exp = exp.as_i64().or(rounded).expect("a number");
    assert!(NOW < exp.saturating_add(leeway), "expired");
    assert_eq!(principal.expires_at(), exp);
    if let Some(nbf) = claims.get("nbf") {
        assert!(
            nbf.as_f64().expect("a number") <= (NOW + leeway) as f64,
            "not valid yet"
        );
    }
}

fn check_audience(issuer: &KnownIssuer, claims: &Value, is_service: bool) {
    let audience = at(claims, issuer.audience_claim);
    if audience.is_null() {
        assert!(issuer.is_anonymous && !is_service, "no audience");
        return;
    }
    let accepted = if is_service {
        issuer.service_audiences
    } else {
        issuer.audiences
    };
    let is_accepted = |one: &Value| accepted.iter().any(|accepted| one == accepted);
    let is_among = audience.as_array().is_some_and(|all| all.iter().any(is_accepted));
    assert!(is_accepted(audience) || is_among, "{audience}");
}

fn check_user(issuer: &KnownIssuer, claims: &Value, user: &User) {
    assert_eq!(user.issuer(), issuer.url);
    let id = at(claims, issuer.user_id);
    let subject = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    assert!(!subject.is_empty());
    assert_eq!(user.subject(), subject);
    if issuer.user.contains("epoch") {
        assert_eq!(user.id().to_string(), subject);
        assert!(user.session_id().is_some() && user.epoch().is_some());
    }
    let roles = user.roles().iter().map(String::as_str);
    for text in roles.chain([user.email(), user.name()]) {
        assert!(text.is_empty() || mentions(claims, text), "{text}");
    }
    for scope in user.scope().split(' ') {
        assert!(scope.is_empty() || has_word(claims, scope), "{scope}");
    }
    let verified = &claims["email_verified"];
    assert!(
        *verified != false && verified != "false" || user.email().is_empty(),
        "the address is not verified"
    );
}

fn at<'v>(claims: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(claims, |value, name| &value[name])
}

/// Whether a text among the claims begins with this one. The name of a service may be the beginning of a claim.
fn mentions(claims: &Value, text: &str) -> bool {
    any_text(claims, &|found| found.starts_with(text))
}

fn has_word(claims: &Value, word: &str) -> bool {
    any_text(claims, &|found| found.split(' ').any(|found| found == word))
}

fn any_text(value: &Value, matches: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => matches(text),
        Value::Array(values) => values.iter().any(|value| any_text(value, matches)),
        Value::Object(members) => members.values().any(|value| any_text(value, matches)),
        _ => false,
    }
}
