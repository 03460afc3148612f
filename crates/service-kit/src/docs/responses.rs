//! The answers that follow from a route's policy and from its parameters and body, and what all answers have in common.

use auth::{ListedRoute, Policy};
use serde_json::{Value, json};

use super::{Object, PROBLEM_JSON, headers};

const FORM: &str = "application/x-www-form-urlencoded";

/// Adds the standard answers, and completes those that the handler describes.
pub(super) fn complete(operation: &mut Object, route: &ListedRoute) {
    let policy = route.policy;
    let standard = standard_responses(operation, route);
    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    for (status, reason) in standard {
        let description = &mut responses[status]["description"];
        *description = match description.as_str().filter(|own| !own.is_empty()) {
            Some(own) => json!(format!("{own}; or {reason}")),
            None => json!(reason),
        };
    }
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        describe(status, response);
        if status.starts_with(['4', '5']) && response["content"].is_null() {
            response["content"] = error_content(status, policy);
        }
        add_headers(status, response);
    }
}

fn standard_responses(operation: &Object, route: &ListedRoute) -> Vec<(&'static str, String)> {
    let policy = route.policy;
    let takes_token = !matches!(policy, Policy::Anyone | Policy::Custom(_));
    let needs_token = takes_token && policy != Policy::Optional;
    let content = &operation.get("requestBody").unwrap_or(&Value::Null)["content"];
    let (has_form, has_json) = (content[FORM].is_object(), content["application/json"].is_object());
    let parameters = || {
        operation
            .get("parameters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let has_query = parameters().any(|parameter| parameter["in"] == "query");
    // An `If-None-Match` that can't be read counts as none.
    let has_strict_header =
        parameters().any(|parameter| parameter["in"] == "header" && parameter["name"] != "if-none-match");

    let unreadable: Vec<_> = [
        (
            has_json,
            "`malformed_json` or `body_incomplete`: the body can't be read",
        ),
        (has_form, "`invalid_request`: the form can't be read"),
        (has_query, "`invalid_query`: a query parameter is invalid"),
        (has_strict_header, "`invalid_header`: a header is invalid"),
        (
            takes_token,
            "`invalid_request`: there is more than one `Authorization` or `x-countersign-identity` header, or a cookie with another token",
        ),
    ]
    .into_iter()
    .filter_map(|(applies, reason)| applies.then_some(reason))
    .collect();
    let mut unavailable = "`timeout` or `database_unavailable`: try again".to_owned();
    if takes_token {
        unavailable += "; or `keys_unavailable`: tokens can't be verified yet; or `revocation_unknown`: the token may be revoked";
    }

    let has_body = has_form || has_json;
    let all = [
        (!unreadable.is_empty(), "400", unreadable.join("; or ")),
        (
            needs_token,
            "401",
            "`no_token`, `invalid_token`, `token_expired` or `token_revoked`".to_owned(),
        ),
        (
            matches!(policy, Policy::Custom(_)),
            "401",
            "`invalid_client`: the client did not authenticate".to_owned(),
        ),
        (
            needs_token,
            "403",
            "`forbidden`: the caller may not do this".to_owned(),
        ),
        (
            !route.method.is_safe(),
            "403",
            "`cross_site`: a request that carries or sets cookies must come from a page of this site"
                .to_owned(),
        ),
        (has_body, "408", "the body did not arrive in time".to_owned()),
        (has_body, "413", "the body is longer than 64 KiB".to_owned()),
        (
            has_json,
            "415",
            "the body is not `application/json` in UTF-8".to_owned(),
        ),
        (has_form, "415", format!("the body is not `{FORM}` in UTF-8")),
        (
            has_json,
            "422",
            "`invalid_body`: `errors` names the invalid members".to_owned(),
        ),
        (true, "500", "an internal error".to_owned()),
        (true, "503", unavailable),
    ];
    all.into_iter()
        .filter_map(|(applies, status, reason)| applies.then_some((status, reason)))
        .collect()
}

/// Every response has a description; OpenAPI requires one.
fn describe(status: &str, response: &mut Value) {
    let own = response["description"].as_str().unwrap_or_default();
    let description = match (status, own) {
        ("200", "") => "The request succeeded".to_owned(),
        ("201", "") => "The resource was created".to_owned(),
        ("304", "") => "The client's copy is current".to_owned(),
        (status, "") => format!("Status {status}"),
        (_, own) => own.to_owned(),
    };
    response["description"] = json!(description);
}

/// OAuth's endpoints answer as RFC 6749 §5.2 says. A deadline or a panic ends a handler from outside, with problem details.
fn error_content(status: &str, policy: Policy) -> Value {
    let problem = json!({"schema": {"$ref": "#/components/schemas/Problem"}});
    let oauth = json!({"schema": {"$ref": "#/components/schemas/OAuthError"}});
    match policy {
        // The cross-site rule is not OAuth's.
        Policy::Custom(_) if status == "403" => json!({PROBLEM_JSON: problem}),
        Policy::Custom(_) if status.starts_with('5') => {
            json!({"application/json": oauth, PROBLEM_JSON: problem})
        }
        Policy::Custom(_) => json!({"application/json": oauth}),
        _ => json!({PROBLEM_JSON: problem}),
    }
}

fn add_headers(status: &str, response: &mut Value) {
    let mut names = vec!["x-request-id".to_owned()];
    match status {
        "401" | "403" => names.push("www-authenticate".to_owned()),
        "304" => names.push("etag".to_owned()),
        "429" | "503" => names.push("retry-after".to_owned()),
        _ => {}
    }
    let own = response["headers"].as_object().cloned().unwrap_or_default();
    for name in names {
        if !own.contains_key(&name) {
            response["headers"][&name] = headers::reference(&name).unwrap_or_default();
        }
    }
    // A handler may name a header and leave its description to the component.
    for (name, header) in own {
        response["headers"][&name] = match headers::reference(&name) {
            Some(reference) if header["description"].is_null() => reference,
            _ => header,
        };
    }
}
