//! One route of each program for users, and one for services.

use actix_web::http::Method;
use serde_json::json;
use test_kit::{Client, TestResponse};

use crate::operations::{Operation, Policy, public_path};
use crate::platform::Platform;
use crate::sandbox::{GATEWAY, inner_services};

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
        let (mut for_users, mut for_services) = (Vec::new(), Vec::new());
        for service in inner_services() {
            let operations = Operation::all(service, platform.anonymous_at(service)).await;
            let sample = |service, operation: &Operation, path| SampleRoute {
                service,
                method: operation.method.clone(),
                path,
            };
            if let Some(operation) = harmless(&operations, |policy| policy.admits_user(&["user"])) {
                // No row has the ids of the examples.
                let path = operation.example().path;
                let public = public_path(service, &path);
                for_users.push(sample(service, operation, path));
                for_users.extend(public.map(|path| sample(GATEWAY, operation, path)));
            }
            let operation = harmless(&operations, |policy| policy.admits_service("order-service"));
            for_services
                .extend(operation.map(|operation| sample(service, operation, operation.example().path)));
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

/// A route that only reads, or else one that requires a body. It does not admit everyone.
fn harmless(operations: &[Operation], admits: impl Fn(&Policy) -> bool) -> Option<&Operation> {
    let is_admitting =
        |operation: &&Operation| operation.policy != Policy::Anyone && admits(&operation.policy);
    let admitting = || operations.iter().filter(is_admitting);
    let reads = admitting().find(|operation| operation.is_safe());
    reads.or_else(|| admitting().find(|operation| operation.requires_body()))
}
