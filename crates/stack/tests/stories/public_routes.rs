//! Clients reach the routes that `services.toml` names, and no others.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use serde_json::json;
use service_kit::TokenRule;
use test_kit::TestResponse;

use crate::eventually;
use crate::operations::Operation;
use crate::platform::{CHEAP_HASHES, Platform};
use crate::sandbox::{REGISTRY, Sandbox, inner_services};

/// A request to the gateway, and the service that must receive it.
struct Attempt {
    method: Method,
    path: String,
    /// The service and the rule of the route. `None`: no service may receive the request.
    expected: Option<(String, TokenRule)>,
}

impl Attempt {
    fn new(method: &Method, path: String) -> Self {
        let routes = REGISTRY.iter().flat_map(|service| {
            let routes = service.routes.iter();
            routes.map(|route| (route.prefix.clone(), (service.name.clone(), route.token)))
        });
        let is_inside = |prefix: &str| {
            let rest = path.strip_prefix(prefix);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        let expected = routes
            .into_iter()
            .find(|(prefix, _)| is_inside(prefix))
            .map(|(_, expected)| expected);
        Self {
            method: method.clone(),
            expected,
            path,
        }
    }

    /// Sends the request as the admin.
    async fn send(&self, platform: &Platform, sandbox: &Sandbox, request_id: &str) -> TestResponse {
        let password = sandbox.secret("admin-password");
        let mut client = platform.anonymous().with("x-request-id", request_id);
        // Tokens must be fresh, because some of the routes revoke them.
        if matches!(self.expected, Some((_, TokenRule::Required))) {
            let pair = platform.login("admin@example.com", &password).await.json();
            client = client.with_token(pair["access_token"].as_str().unwrap());
        }
        let body = |request: reqwest::RequestBuilder| match self.method {
            Method::GET => request,
            _ => request.json(&json!({})),
        };
        client.send(&self.method, &self.path, body).await
    }
}

/// The services that have logged a request, with the number of times.
fn receivers(platform: &Platform, request_id: &str) -> BTreeMap<String, usize> {
    let mut receivers = BTreeMap::new();
    for event in platform.log.events() {
        let span = &event["span"];
        let is_end = ["answered", "failed"].contains(&event["message"].as_str().unwrap_or_default());
        if is_end && span["request_id"] == request_id {
            let service = span["service.name"].as_str().unwrap().to_owned();
            *receivers.entry(service).or_default() += 1;
        }
    }
    receivers
}

#[tokio::test]
async fn each_documented_route_is_reachable_exactly_if_services_toml_names_it() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&CHEAP_HASHES).await;
    let mut operations = Vec::new();
    for service in inner_services() {
        operations.extend(Operation::all(service, platform.anonymous_at(service)).await);
    }
    // The gateway's own document has the same routes, and its pages.
    let pages = Operation::gateway_pages(platform.anonymous(), &operations).await;
    let pages: BTreeSet<_> = pages.into_iter().map(|page| page.path).collect();
    let mut attempts = Vec::new();
    for operation in &operations {
        let example = operation.example().path;
        for prefix in ["", "/api"] {
            attempts.push(Attempt::new(&operation.method, format!("{prefix}{example}")));
        }
    }

    for (index, attempt) in attempts.iter().enumerate() {
        let response = attempt.send(&platform, &sandbox, &format!("route-{index}")).await;
        match &attempt.expected {
            Some(_) => assert!(response.status < 500, "{}: {response:?}", attempt.path),
            None if pages.contains(&attempt.path) => {
                assert!(response.status < 400, "{}: {response:?}", attempt.path);
            }
            None => {
                response.assert_problem(404, "not_found");
            }
        }
    }
    for (index, attempt) in attempts.iter().enumerate() {
        let id = format!("route-{index}");
        let Some((service, _)) = &attempt.expected else {
            let receivers = receivers(&platform, &id);
            assert!(
                receivers.is_empty(),
                "{} {}: {receivers:?}",
                attempt.method,
                attempt.path
            );
            continue;
        };
        // The service may have asked a neighbour, with the same request id.
        let description = format!("{} {} reaches {service}", attempt.method, attempt.path);
        eventually(&description, async || {
            receivers(&platform, &id).get(service) == Some(&1)
        })
        .await;
    }
    let public = attempts
        .iter()
        .filter(|attempt| attempt.expected.is_some())
        .count();
    println!("{public} of {} paths are public", attempts.len());
}
