//! The security schemes, and the security of a route, which follows from its policy.

use std::fmt::Write as _;

use auth::{Policy, Routes};
use serde_json::{Value, json};

use crate::config::{CookieNames, Roles};

/// The policy in words, for the document and for the lists of routes that tests compare.
#[must_use]
pub fn describe(policy: Policy) -> String {
    match policy {
        Policy::Anyone => "anyone".to_owned(),
        Policy::Optional => "anyone; a user token is optional".to_owned(),
        Policy::User => "any user".to_owned(),
        Policy::AnyRole(roles) => format!("role {}", roles.join(" or ")),
        Policy::Scope(scope) => format!("scope {scope}"),
        Policy::AnyService => "any service".to_owned(),
        Policy::Service(name) => format!("service {name}"),
        Policy::Custom(scheme) => format!("security scheme {scheme}"),
    }
}

/// The policy as a sentence.
pub(super) fn sentence(policy: Policy) -> String {
    match policy {
        Policy::Anyone => "Admits every caller.".to_owned(),
        Policy::Optional => "Admits every caller. The access token of a user is optional.".to_owned(),
        Policy::User => "Admits every user.".to_owned(),
        Policy::AnyRole(roles) => format!("Admits users with the role `{}`.", roles.join("` or `")),
        Policy::Scope(scope) => format!("Admits users with the scope `{scope}`."),
        Policy::AnyService => "Admits every service.".to_owned(),
        Policy::Service(name) => format!("Admits `{name}` only."),
        Policy::Custom(_) => "Admits registered clients.".to_owned(),
    }
}

/// The security requirements of an operation.
pub(super) fn requirements(policy: Policy) -> Value {
    match policy {
        Policy::Anyone => json!([]),
        Policy::Optional => json!([{}, {"bearer": []}, {"cookie": []}]),
        Policy::User | Policy::AnyRole(_) => json!([{"bearer": []}, {"cookie": []}]),
        // Services have no cookies.
        Policy::AnyService | Policy::Service(_) => json!([{"bearer": []}]),
        Policy::Scope(scope) => json!([{"bearer": [scope]}, {"cookie": [scope]}]),
        Policy::Custom(scheme) => json!([{scheme: []}]),
    }
}

/// The schemes that these routes use, and the one of tokens.
pub(super) fn schemes(routes: &Routes) -> Value {
    let mut schemes = json!({"bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": bearer_description(),
    }, "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": CookieNames::HTTPS.access,
        "description": cookie_description(),
    }});
    for route in routes.iter() {
        if let (Policy::Custom(scheme), Some(schemes)) = (route.policy, schemes.as_object_mut()) {
            // The one scheme there is so far.
            let basic = json!({
                "type": "http",
                "scheme": "basic",
                "description": "The name and the client secret of a registered service, both form-encoded (RFC 6749 §2.3.1).",
            });
            schemes.insert(scheme.to_owned(), basic);
        }
    }
    schemes
}

fn cookie_description() -> String {
    format!(
        "The access token in a cookie, for browsers: `POST /auth/login?session=cookie` sets it. If `PUBLIC_URL` is plain http, its name is \
         `{}`. A request with it that is not safe must come from a page of `PUBLIC_URL` or `CORS_ORIGINS`.",
        CookieNames::HTTP.access
    )
}

/// Names the built-in roles and their scopes. A deployment may have others.
fn bearer_description() -> String {
    let mut text = "An access token of a user, or a service token (RFC 9068). Each operation says which callers it admits.\n\n\
                    The roles of users, and the scopes of their tokens, by default:\n"
        .to_owned();
    for role in Roles::built_in().iter() {
        let scopes = role.scopes.iter().map(|scope| format!("`{scope}`"));
        // Writing to a string can't fail.
        _ = write!(
            text,
            "\n- `{}`: {}",
            role.name,
            scopes.collect::<Vec<_>>().join(", ")
        );
    }
    text
}
