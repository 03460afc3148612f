//! The answers that the gateway itself may give to a request. Each operation refers to them.

use auth::Routes;
use serde_json::{Map, Value, json};
use service_kit::docs;
use utoipa::openapi::OpenApiBuilder;

use super::components::{resolve, used_in};
use super::security::require_token;
use crate::NAME;

const PROBLEM_JSON: &str = "application/problem+json";
const UNSAFE_METHODS: [&str; 4] = ["post", "put", "patch", "delete"];

/// An answer of the gateway.
struct Answer {
    status: &'static str,
    /// The name of its component.
    name: &'static str,
    description: &'static str,
    /// The headers that it always has, and their components.
    headers: &'static [(&'static str, &'static str)],
}

const REQUEST_ID: (&str, &str) = ("x-request-id", "RequestId");
const RETRY_AFTER: (&str, &str) = ("retry-after", "RetryAfter");

/// The answers to any request, the one to requests without a valid token, and the one to unsafe requests.
const ANSWERS: [Answer; 10] = [
    Answer {
        status: "400",
        name: "GatewayBadRequest",
        description: "`invalid_path`: the path could be read in more than one way; or `bad_request`: the request is not valid, or \
                      its body broke off; or `invalid_request`: the request has two different tokens",
        headers: &[REQUEST_ID],
    },
    Answer {
        status: NO_USER,
        name: "GatewayUnauthenticated",
        description: "`no_token`, `invalid_token`, `token_expired` or `token_revoked`: the route requires a user's token",
        headers: &[REQUEST_ID, ("www-authenticate", "WwwAuthenticate")],
    },
    Answer {
        status: CROSS_SITE,
        name: "GatewayCrossSite",
        description: "`cross_site`: a request with cookies must come from a page of this site",
        headers: &[REQUEST_ID],
    },
    Answer {
        status: "408",
        name: "GatewayRequestTimeout",
        description: "`request_timeout`: the request did not arrive in time",
        headers: &[REQUEST_ID],
    },
    Answer {
        status: "413",
        name: "GatewayPayloadTooLarge",
        description: "`payload_too_large`: the body is longer than the route allows",
        headers: &[REQUEST_ID],
    },
    Answer {
        status: "429",
        name: "GatewayRateLimited",
        description: "`rate_limited`: the client sent too many requests",
        headers: &[REQUEST_ID, RETRY_AFTER],
    },
    // If an HTTP/2 client sends too many bytes, the answer of the library has neither a body nor an id.
    Answer {
        status: "431",
        name: "GatewayHeadersTooLarge",
        description: "`headers_too_large`: the headers are too long or too many",
        headers: &[],
    },
    Answer {
        status: "502",
        name: "GatewayUpstreamUnavailable",
        description: "`upstream_unavailable`: the service can't be reached",
        headers: &[REQUEST_ID],
    },
    Answer {
        status: "503",
        name: "GatewayCircuitOpen",
        description: "`circuit_open`: the service failed repeatedly; or `keys_unavailable`: the gateway has no keys to verify the \
                      token with",
        headers: &[REQUEST_ID, RETRY_AFTER],
    },
    Answer {
        status: "504",
        name: "GatewayUpstreamTimeout",
        description: "`upstream_timeout`: the service did not answer in time",
        headers: &[REQUEST_ID],
    },
];
const NO_USER: &str = "401";
const CROSS_SITE: &str = "403";

/// The components that the gateway's answers use, the answers included.
pub(super) fn components() -> Value {
    // The gateway's errors have the format of the services' errors.
    let nothing = OpenApiBuilder::new().build();
    let mut document = docs::document(NAME, &nothing, &Routes::new());
    let mut components = document
        .get_mut("components")
        .map(Value::take)
        .unwrap_or_default();
    if let Some(components) = components.as_object_mut() {
        let answers = ANSWERS
            .iter()
            .map(|answer| (answer.name.to_owned(), answer.component()));
        components.insert("responses".to_owned(), answers.collect());
        components.insert("headers".to_owned(), docs::headers());
    }
    components
}

/// Adds the gateway's answers to the operations of a service. If an operation has its own answer with the same status, its
/// description names both. `requires_token` says of a client's path whether the gateway requires a user's token there.
pub(super) fn add(public: &mut Value, requires_token: impl Fn(&str) -> bool) {
    let components = public.get("components").cloned().unwrap_or_default();
    let items = public.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in items.into_iter().flatten() {
        let requires_token = requires_token(path);
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            let adds_token = requires_token && require_token(operation);
            let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else {
                continue;
            };
            for answer in ANSWERS
                .iter()
                .filter(|answer| answer.applies_to(method, adds_token))
            {
                answer.add(responses, &components);
            }
        }
    }
}

/// Removes the gateway's components that no operation refers to.
pub(super) fn remove_unused(joined: &mut Value) {
    let mut used = joined.get("paths").map(used_in).unwrap_or_default();
    // Answers refer to headers.
    for kind in ["responses", "headers", "securitySchemes"] {
        let components = joined.pointer_mut(&format!("/components/{kind}"));
        if let Some(components) = components.and_then(Value::as_object_mut) {
            components.retain(|name, _| used.contains(&(kind.to_owned(), name.clone())));
            used.extend(components.values().flat_map(used_in));
        }
    }
}

impl Answer {
    fn applies_to(&self, method: &str, adds_token: bool) -> bool {
        match self.status {
            NO_USER => adds_token,
            CROSS_SITE => UNSAFE_METHODS.contains(&method),
            _ => true,
        }
    }

    fn component(&self) -> Value {
        let mut component = json!({"description": self.description, "content": content()});
        if let Some(component) = component.as_object_mut()
            && !self.headers.is_empty()
        {
            component.insert("headers".to_owned(), self.headers());
        }
        component
    }

    fn headers(&self) -> Value {
        let reference = |component| json!({"$ref": format!("#/components/headers/{component}")});
        let headers = self.headers.iter();
        headers
            .map(|&(name, component)| (name.to_owned(), reference(component)))
            .collect()
    }

    fn add(&self, responses: &mut Map<String, Value>, components: &Value) {
        match responses.get_mut(self.status) {
            None => {
                let reference = json!({"$ref": format!("#/components/responses/{}", self.name)});
                responses.insert(self.status.to_owned(), reference);
            }
            Some(response) => {
                if let Some(component) = resolve(response, components) {
                    *response = component.clone();
                }
                if let Some(response) = response.as_object_mut() {
                    self.extend(response, components);
                }
            }
        }
    }

    /// Adds this answer to a service's own one.
    fn extend(&self, response: &mut Map<String, Value>, components: &Value) {
        let own = response.get("description").and_then(Value::as_str);
        let own = own.unwrap_or_default().trim_end_matches('.');
        let description = if own.is_empty() {
            self.description.to_owned()
        } else {
            format!("{own}; or, from the gateway, {}", self.description)
        };
        response.insert("description".to_owned(), json!(description));

        let known = response.entry("content").or_insert_with(|| json!({}));
        if let (Some(known), Value::Object(content)) = (known.as_object_mut(), content()) {
            for (media_type, schema) in content {
                known.entry(media_type).or_insert(schema);
            }
        }
        let headers = response.get_mut("headers").and_then(Value::as_object_mut);
        for (name, header) in headers.into_iter().flatten() {
            if !self.headers.iter().any(|(known, _)| known == name) {
                make_optional(header, components);
            }
        }
    }
}

/// The content of an error.
pub(super) fn content() -> Value {
    json!({PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}})
}

/// A header that only the service's answer has.
fn make_optional(header: &mut Value, components: &Value) {
    if let Some(component) = resolve(header, components) {
        *header = component.clone();
    }
    if let Some(header) = header.as_object_mut() {
        header.remove("required");
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::Pin;

    use http_body::Body as _;

    use super::*;
    use crate::refusal::Refusal;

    /// The answers of an operation that requires a token if its method is `delete`.
    fn with_answers(method: &str, responses: &Value) -> Value {
        let mut public = json!({
            "paths": {"/a": {method: {"responses": responses}}},
            "components": {
                "responses": {"Busy": {"description": "Busy."}},
                "headers": {"Challenge": {"required": true, "description": "How to authenticate"}},
            },
        });
        add(&mut public, |_| method == "delete");
        public["paths"]["/a"][method]["responses"].take()
    }

    #[test]
    fn each_operation_refers_to_the_gateways_answers() {
        let responses = with_answers("delete", &json!({"200": {"description": "Done"}}));
        let statuses: Vec<_> = responses.as_object().unwrap().keys().collect();
        assert_eq!(
            statuses,
            [
                "200", "400", "401", "403", "408", "413", "429", "431", "502", "503", "504"
            ]
        );
        let components = json!({"components": components()});
        for answer in &ANSWERS {
            let reference = responses[answer.status]["$ref"].as_str().unwrap();
            let component = components.pointer(reference.trim_start_matches('#')).unwrap();
            assert_eq!(component["description"], answer.description);
        }
        // A page of another site may cause safe requests.
        assert_eq!(with_answers("get", &json!({}))["403"], Value::Null);
        assert_eq!(with_answers("post", &json!({}))["401"], Value::Null);
    }

    #[test]
    fn an_answer_of_the_service_with_the_same_status_names_both() {
        let own = json!({"429": {
            "description": "`too_many_attempts`: try again later.",
            "content": {"text/plain": {}},
            "headers": {"retry-after": {"required": true}},
        }});
        assert_eq!(
            with_answers("post", &own)["429"],
            json!({
                "description": "`too_many_attempts`: try again later; or, from the gateway, `rate_limited`: the client sent too \
                                many requests",
                "content": {"text/plain": {}, PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                "headers": {"retry-after": {"required": true}},
            })
        );
    }

    #[test]
    fn an_answer_that_is_a_component_is_extended_in_its_operation_only() {
        let own = json!({"503": {"$ref": "#/components/responses/Busy"}});
        let responses = with_answers("get", &own);
        assert_eq!(
            responses["503"]["description"],
            "Busy; or, from the gateway, `circuit_open`: the service failed repeatedly; or `keys_unavailable`: the gateway has no \
             keys to verify the token with"
        );
    }

    #[test]
    fn a_header_that_the_gateways_answer_lacks_is_optional() {
        let own = json!({"403": {
            "description": "Forbidden",
            "headers": {"www-authenticate": {"$ref": "#/components/headers/Challenge"}},
        }});
        assert_eq!(
            with_answers("post", &own)["403"]["headers"]["www-authenticate"],
            json!({"description": "How to authenticate"})
        );
    }

    #[tokio::test]
    async fn each_refusal_of_a_request_with_a_route_is_described() {
        // Each service's own document has 500.
        for refusal in [
            Refusal::Path,
            Refusal::Host,
            Refusal::TooManyHeaders,
            Refusal::Auth(auth::AuthError::KeysUnavailable),
            Refusal::Body,
            Refusal::Auth(auth::AuthError::AmbiguousCredentials),
            Refusal::Auth(auth::AuthError::NoToken),
            Refusal::Auth(auth::AuthError::InvalidToken(auth::TokenFault::Malformed)),
            Refusal::Auth(auth::AuthError::Expired),
            Refusal::Auth(auth::AuthError::Revoked),
            Refusal::Auth(auth::AuthError::CrossSite),
            Refusal::BodyTooLarge,
            Refusal::BodyTimeout,
            Refusal::RateLimited {
                retry_after_seconds: 1,
            },
            Refusal::Unavailable,
            Refusal::CircuitOpen {
                retry_after_seconds: 1,
            },
            Refusal::UpstreamTimeout,
        ] {
            let mut response = refusal.respond("id");
            let frame = poll_fn(|cx| Pin::new(response.body_mut()).poll_frame(cx)).await;
            let problem = frame.unwrap().unwrap().into_data().unwrap();
            let problem: Value = serde_json::from_slice(&problem).unwrap();
            let code = format!("`{}`", problem["code"].as_str().unwrap());
            let answer = ANSWERS
                .iter()
                .find(|answer| answer.status == response.status().as_str())
                .unwrap_or_else(|| panic!("{refusal:?}"));
            assert!(answer.description.contains(&code), "{refusal:?}");
            for (header, _) in answer.headers.iter().filter(|header| **header != REQUEST_ID) {
                assert!(response.headers().contains_key(*header), "{refusal:?} {header}");
            }
        }
    }
}
