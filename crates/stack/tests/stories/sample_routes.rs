//! The routes of the running platform, from its OpenAPI documents, and one of each program for users and for services.

use actix_web::http::Method;
use serde_json::{Value, json};
use service_kit::Roles;
use test_kit::{Client, TestResponse};

use crate::platform::Platform;
use crate::sandbox::{GATEWAY, REGISTRY, inner_services};

/// An operation of a document.
#[derive(Clone, Debug)]
pub struct Operation {
    pub method: Method,
    pub path: String,
    /// The policy in words.
    pub policy: String,
    requires_body: bool,
    /// The names of the query parameters without which it can't be called.
    required_query: Vec<String>,
}

impl Operation {
    /// The required query parameters, with ids that no row has.
    fn example_query(&self) -> String {
        let example = example_id();
        let parameters = self.required_query.iter().enumerate();
        let parameter = |(index, name): (usize, &String)| {
            let separator = if index == 0 { '?' } else { '&' };
            format!("{separator}{name}={example}")
        };
        parameters.map(parameter).collect()
    }
}

/// The operations of a document.
pub fn operations(document: &Value) -> Vec<Operation> {
    let of_path = |(path, item): (&String, &Value)| {
        let is_required = |parameter: &&Value| parameter["in"] == "query" && parameter["required"] == true;
        let required_query = |operation: &Value| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names = parameters.filter(is_required).map(|parameter| &parameter["name"]);
            names.map(|name| name.as_str().unwrap().to_owned()).collect()
        };
        let operation = |(method, operation): (&String, &Value)| Operation {
            method: Method::from_bytes(method.to_uppercase().as_bytes()).unwrap(),
            path: path.clone(),
            policy: operation["x-policy"].as_str().unwrap_or_default().to_owned(),
            requires_body: operation["requestBody"]["required"] == true,
            required_query: required_query(operation),
        };
        let methods = item.as_object().unwrap().iter();
        methods.map(operation).collect::<Vec<_>>()
    };
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(of_path).collect()
}

/// A path with an id that no row has, in place of each parameter.
pub fn with_example_ids(path: &str) -> String {
    let example = example_id();
    let segment = |segment: &str| {
        if segment.starts_with('{') {
            example.clone()
        } else {
            segment.to_owned()
        }
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// An id that no row has.
fn example_id() -> String {
    uuid::Uuid::nil().to_string()
}

/// The path at which the gateway forwards to this path of a service.
pub fn public_path(service: &str, path: &str) -> Option<String> {
    REGISTRY.find(service)?.routes.iter().find_map(|route| {
        let rest = path.strip_prefix(&route.upstream_prefix)?;
        let is_below = rest.is_empty() || rest.starts_with('/');
        is_below.then(|| format!("{}{rest}", route.prefix))
    })
}

/// A route that changes nothing when it is called without a valid body.
#[derive(Clone, Debug)]
pub struct SampleRoute {
    pub service: &'static str,
    method: Method,
    path: String,
}

impl SampleRoute {
    pub async fn call(&self, client: &Client) -> TestResponse {
        client
            .send(&self.method, &self.path, |request| request.json(&json!({})))
            .await
    }
}

/// Sample routes of all programs that verify tokens.
pub struct SampleRoutes {
    /// For any user: of each service that has such a route, and of the gateway, which forwards it.
    pub for_users: Vec<SampleRoute>,
    /// For services: of each service that has such a route.
    pub for_services: Vec<SampleRoute>,
}

impl SampleRoutes {
    pub async fn of(platform: &Platform) -> Self {
        let scopes = Roles::built_in().scope_of(&["user"]);
        let admits_users = |policy: &str| {
            let scope = policy.strip_prefix("scope ");
            policy == "any user" || scope.is_some_and(|scope| scopes.split(' ').any(|known| known == scope))
        };
        let admits_services = |policy: &str| ["any service", "service order-service"].contains(&policy);

        let (mut for_users, mut for_services) = (Vec::new(), Vec::new());
        for service in inner_services() {
            let document = platform.anonymous_at(service).get("/openapi.json").await.json();
            let operations = operations(&document);
            let sample = |path: String, operation: &Operation, service| SampleRoute {
                service,
                method: operation.method.clone(),
                path: with_example_ids(&path) + &operation.example_query(),
            };
            if let Some(operation) = harmless(&operations, admits_users) {
                for_users.push(sample(operation.path.clone(), operation, service));
                let public = public_path(service, &operation.path);
                for_users.extend(public.map(|path| sample(path, operation, GATEWAY)));
            }
            let operation = harmless(&operations, admits_services);
            for_services
                .extend(operation.map(|operation| sample(operation.path.clone(), operation, service)));
        }
        assert!(
            for_users.len() > 6 && for_services.len() > 1,
            "{for_users:?}, {for_services:?}"
        );
        Self {
            for_users,
            for_services,
        }
    }
}

/// A route that only reads, or else one that requires a body.
fn harmless(operations: &[Operation], admits: impl Fn(&str) -> bool) -> Option<&Operation> {
    let admitting = || operations.iter().filter(|operation| admits(&operation.policy));
    let reads = admitting().find(|operation| operation.method == Method::GET);
    reads.or_else(|| admitting().find(|operation| operation.requires_body))
}
