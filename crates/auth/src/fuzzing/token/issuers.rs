//! The issuers: one for each ready-made profile, and some with other rules. What a profile must refuse is written here a second time,
//! apart from the code that applies profiles.

use serde_json::Value;

use crate::identity::IDENTITY_TOKEN_TYPE;
use crate::profile::{Profile, Revocable, ServiceMark};

pub(super) struct KnownIssuer {
    /// `iss`.
    pub url: &'static str,
    /// Another value of `iss`. Empty if there is none.
    pub alias: &'static str,
    pub profile: fn() -> Profile,
    pub has_secret: bool,
    /// Whether `iss` and the audience may be absent.
    pub is_anonymous: bool,
    /// The accepted values of `typ`, in lower case. If there are none, `typ` must be absent.
    pub types: &'static [&'static str],
    pub audience_claim: &'static str,
    pub audiences: &'static [&'static str],
    /// Empty if services are not admitted.
    pub service_audiences: &'static [&'static str],
    /// The claims that must be present.
    pub required: &'static [&'static str],
    /// Whether the claims have a mark of a service.
    pub is_service: fn(&Value) -> bool,
    /// Whether the claims have the fixed values that the profile requires.
    pub has_values: fn(&Value) -> bool,
    /// The claim with the user's id.
    pub user_id: &'static str,
    /// A valid user's claims, without `iss`, `iat` and `exp`.
    pub user: &'static str,
    /// The same of a service.
    pub service: &'static str,
}

const PLATFORM_USER: &str = r#"{"sub":"0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b","aud":["platform"],"jti":"j","client_id":"web","sid":"0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8c","epoch":1,"email":"a@b","name":"Ada","roles":["user"],"scope":"a b"}"#;
const IDENTITY_USER: &str = r#"{"sub":"0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8b","aud":["api"],"jti":"j","client_id":"countersign","sid":"0190d3f0-7c1a-4c8e-9a3f-5b2d1e0f9a8c","epoch":1,"email":"a@b","name":"Ada","roles":["user"]}"#;

/// The rules that most have in common.
const COMMON: KnownIssuer = KnownIssuer {
    url: "",
    alias: "",
    profile: || Profile::rfc9068("api").service_audiences(["api"]),
    has_secret: false,
    is_anonymous: false,
    types: &["at+jwt"],
    audience_claim: "aud",
    audiences: &["api"],
    service_audiences: &["api"],
    required: &["iat", "jti", "client_id"],
    // RFC 9068 §2.2.
    is_service: |claims| claims["client_id"].is_string() && claims["sub"] == claims["client_id"],
    has_values: |_| true,
    user_id: "sub",
    user: r#"{"sub":"u","aud":"api","jti":"j","client_id":"web","roles":["a"],"scope":"a b"}"#,
    service: r#"{"sub":"s","aud":"api","jti":"j","client_id":"s"}"#,
};

pub(super) static ISSUERS: [KnownIssuer; 12] = [
    KnownIssuer {
        url: "https://a",
        profile: || Profile::countersign("api"),
        audiences: &["platform"],
        user: PLATFORM_USER,
        ..COMMON
    },
    KnownIssuer {
        url: "https://b",
        ..COMMON
    },
    KnownIssuer {
        url: "https://c",
        profile: || Profile::keycloak("api").service_audiences(["for-services"]),
        types: &["jwt", "at+jwt"],
        service_audiences: &["for-services"],
        required: &["iat", "azp"],
        is_service: |claims| {
            claims["sid"].is_null()
                || !claims["client_id"].is_null()
                || !claims["clientId"].is_null()
                || text(claims, "preferred_username").starts_with("service-account-")
        },
        has_values: |claims| claims["typ"] == "Bearer",
        user: r#"{"sub":"u","aud":"api","typ":"Bearer","azp":"web","sid":"i","realm_access":{"roles":["a"]},"scope":"a b"}"#,
        service: r#"{"sub":"u","aud":"for-services","typ":"Bearer","azp":"s","client_id":"s","preferred_username":"service-account-s"}"#,
        ..COMMON
    },
    KnownIssuer {
        url: "https://d/",
        profile: || Profile::auth0("api").service_audiences(["api"]),
        types: &["jwt", "at+jwt"],
        required: &["iat"],
        is_service: |claims| {
            text(claims, "sub").ends_with("@clients") || claims["gty"] == "client-credentials"
        },
        has_values: |claims| !claims["azp"].is_null() || !claims["client_id"].is_null(),
        user: r#"{"sub":"auth0|u","aud":["api","https://d/userinfo"],"azp":"web","scope":"a b","permissions":["c"]}"#,
        service: r#"{"sub":"s@clients","aud":"api","azp":"s","gty":"client-credentials"}"#,
        ..COMMON
    },
    KnownIssuer {
        url: "https://accounts.google.com",
        alias: "accounts.google.com",
        profile: || Profile::google("api"),
        types: &["jwt"],
        service_audiences: &[],
        required: &["iat"],
        is_service: |claims| {
            let is_account = |claim| text(claims, claim).ends_with(".gserviceaccount.com");
            claims["azp"].is_string() && claims["azp"] == claims["sub"]
                || is_account("azp")
                || is_account("email")
        },
        user: r#"{"sub":"1","aud":"api","azp":"web","email":"a@b","email_verified":true,"name":"Ada"}"#,
        service: r#"{"sub":"1","aud":"api","azp":"1"}"#,
        ..COMMON
    },
    KnownIssuer {
        url: "https://f/v2.0",
        profile: || Profile::entra_id("api").service_audiences(["api"]),
        types: &["jwt"],
        required: &["iat", "tid"],
        is_service: |claims| claims["scp"].is_null(),
        has_values: |claims| {
            let is_app = claims["idtyp"] == "app" && !claims["roles"].is_null();
            claims["ver"] == "2.0" && (!claims["scp"].is_null() || is_app)
        },
        user_id: "oid",
        user: r#"{"oid":"u","sub":"x","tid":"t","aud":"api","ver":"2.0","scp":"a b","roles":["a"]}"#,
        service: r#"{"oid":"u","sub":"u","tid":"t","aud":"api","ver":"2.0","azp":"s","idtyp":"app","roles":["a"]}"#,
        ..COMMON
    },
    KnownIssuer {
        url: "https://g",
        profile: || Profile::cognito("api"),
        types: &[],
        audience_claim: "client_id",
        service_audiences: &[],
        required: &["iat", "jti"],
        has_values: |claims| claims["token_use"] == "access",
        user: r#"{"sub":"u","client_id":"api","jti":"j","token_use":"access","cognito:groups":["a"],"username":"Ada"}"#,
        service: r#"{"sub":"api","client_id":"api","jti":"j","token_use":"access"}"#,
        ..COMMON
    },
    KnownIssuer {
        url: "https://h",
        profile: Profile::jsonwebtoken,
        has_secret: true,
        is_anonymous: true,
        types: &["jwt"],
        audiences: &[],
        service_audiences: &[],
        required: &[],
        user_id: "userId",
        user: r#"{"userId":7,"email":"a@b","role":"a"}"#,
        ..COMMON
    },
    // The gateway's identity tokens.
    KnownIssuer {
        url: "https://a/gateway",
        profile: || Profile::identity("api"),
        types: &[IDENTITY_TOKEN_TYPE],
        service_audiences: &[],
        user: IDENTITY_USER,
        ..COMMON
    },
    // A public key must never verify a token without an issuer.
    KnownIssuer {
        url: "https://j",
        profile: || Profile::jsonwebtoken().audiences(["api"]),
        types: &["jwt"],
        service_audiences: &[],
        required: &[],
        user_id: "userId",
        user: r#"{"userId":"u","aud":"api","role":["a"]}"#,
        ..COMMON
    },
    // A secret, with a profile that requires the issuer.
    KnownIssuer {
        url: "https://k",
        has_secret: true,
        ..COMMON
    },
    // The rules that no ready-made profile has.
    KnownIssuer {
        url: "https://l",
        profile: custom,
        audience_claim: "for.api",
        is_service: |claims| {
            claims["user"].is_null()
                || text(claims, "sub").starts_with("service:")
                || claims["bot"] == "true"
                || claims["bot"] == true
        },
        user_id: "user.id",
        user: r#"{"sub":"u","for":{"api":"api"},"jti":"j","client_id":"c","sid":"x","tenant":"t","user":{"id":"u","roles":["a"],"email":"a@b"},"groups":"b","scope":"a","scp":["b"]}"#,
        service: r#"{"sub":"service:s","for":{"api":["api"]},"jti":"j","client_id":"s"}"#,
        ..COMMON
    },
];

fn custom() -> Profile {
    Profile::rfc9068("api")
        .service_audiences(["api"])
        .audience_from("for.api")
        .revocable(Revocable::BySession)
        .user_id_from("user.id")
        .roles_from(["user.roles", "groups"])
        .scopes_from(["scope", "scp"])
        .email_from("user.email")
        .service_marks([
            ServiceMark::Lacks("user".into()),
            ServiceMark::Prefix("sub".into(), "service:".to_owned()),
            ServiceMark::Value("bot".into(), "true".to_owned()),
        ])
        .claims::<Tenant>()
}

#[derive(serde::Deserialize)]
#[expect(dead_code, reason = "only read from tokens")]
struct Tenant {
    tenant: String,
}

/// A claim's text. Empty if it is not a text.
fn text<'v>(claims: &'v Value, name: &str) -> &'v str {
    claims[name].as_str().unwrap_or_default()
}
