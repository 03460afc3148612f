//! Clients reach the routes that `services.toml` names, and no others.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::Method;
use serde_json::json;
use service_kit::TokenRule;
use test_kit::TestResponse;

use crate::eventually;
use crate::operations::Operation;
use crate::platform::{CHEAP_HASHES, Platform};
use crate::sandbox::{GATEWAY, REGISTRY, Sandbox, inner_services};

/// The gateway's own pages.
const PAGES: [&str; 4] = ["/health/live", "/health/ready", "/docs", "/openapi.json"];

/// A request to the gateway, and the service that must receive it.
struct Attempt {
    method: Method,
    path: String,
    /// The service and the rule of the route. `None`: no service may receive the request.
    expected: Option<(String, TokenRule)>,
    /// Whether the gateway has a page at this path.
    is_page: bool,
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
            is_page: PAGES.contains(&path.as_str()),
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
    let (mut reached, mut attempts) = (BTreeSet::new(), Vec::new());
    for service in inner_services() {
        for operation in Operation::all(service, platform.anonymous_at(service)).await {
            let example = operation.example().path;
            for prefix in ["", "/api"] {
                let attempt = Attempt::new(&operation.method, format!("{prefix}{example}"));
                if attempt.expected.is_some() {
                    reached.insert((
                        operation.method.to_string(),
                        format!("{prefix}{}", operation.path),
                    ));
                }
                attempts.push(attempt);
            }
        }
    }

    for (index, attempt) in attempts.iter().enumerate() {
        let response = attempt.send(&platform, &sandbox, &format!("route-{index}")).await;
        match &attempt.expected {
            Some(_) => assert!(response.status < 500, "{}: {response:?}", attempt.path),
            None if attempt.is_page => assert!(response.status < 400, "{}: {response:?}", attempt.path),
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

    // The gateway's own document has the same routes.
    let documented = Operation::all(GATEWAY, platform.anonymous()).await;
    let documented: BTreeSet<_> = documented
        .into_iter()
        .filter(|operation| !PAGES.contains(&operation.path.as_str()))
        .map(|operation| (operation.method.to_string(), operation.path))
        .collect();
    assert_eq!(documented, reached);
    println!("{} of {} paths are public", reached.len(), attempts.len());
}
