//! Each route of each service, at the service and at the gateway, with the tokens that user-service issues to each kind of caller.

use serde_json::json;
use test_kit::Client;

use crate::operations::{Operation, Policy, public_path};
use crate::platform::Platform;
use crate::sandbox::{GATEWAY, Sandbox, inner_services};

/// A caller with a valid token, or without one.
struct Caller {
    name: String,
    roles: &'static [&'static str],
    token: Option<String>,
}

impl Caller {
    fn is_service(&self) -> bool {
        self.token.is_some() && self.roles.is_empty()
    }

    fn is_admitted_by(&self, policy: &Policy) -> bool {
        if self.token.is_none() {
            *policy == Policy::Anyone
        } else if self.is_service() {
            policy.admits_service(&self.name)
        } else {
            policy.admits_user(self.roles)
        }
    }
}

async fn callers(platform: &Platform, sandbox: &Sandbox) -> Vec<Caller> {
    let token = |pair: serde_json::Value| Some(pair["access_token"].as_str().unwrap().to_owned());
    let caller = |name: &str, roles, token| Caller {
        name: name.to_owned(),
        roles,
        token,
    };
    vec![
        caller("an anonymous caller", &[], None),
        caller("a user", &["user"], token(platform.register_ada().await)),
        caller(
            "an admin",
            &["user", "admin"],
            token(platform.login_admin(sandbox).await),
        ),
    ]
}

/// Calls a route as a caller whom it does not admit, or as one whom it admits if the call changes nothing.
async fn check(caller: &Caller, client: &Client, operation: &Operation, path: &str) -> bool {
    let is_admitted = caller.is_admitted_by(&operation.policy);
    if is_admitted && !operation.is_safe() {
        return false;
    }
    let client = match &caller.token {
        Some(token) => client.with_token(token),
        None => client.clone(),
    };
    let answer = client
        .send(&operation.method, path, |request| request.json(&json!({})))
        .await;
    let (key, policy) = (operation.key(), operation.policy_in_words());
    let context = format!("{key}, {path} ({policy}) as {}: {answer:?}", caller.name);
    if is_admitted {
        assert!(
            answer.status < 500 && ![401, 403].contains(&answer.status),
            "{context}"
        );
    } else if operation.policy == Policy::Client {
        assert_eq!(answer.status, 401, "{context}");
    } else {
        let expected = if caller.token.is_some() {
            (403, "forbidden")
        } else {
            (401, "no_token")
        };
        assert_eq!(
            (answer.status, answer.json()["code"].as_str().unwrap()),
            expected,
            "{context}"
        );
    }
    true
}

#[tokio::test]
async fn each_route_admits_its_callers_and_refuses_all_others() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_where_all_call_all().await;
    let mut callers = callers(&platform, &sandbox).await;
    for service in inner_services() {
        let client = platform.anonymous_at(service);
        // A service token is for one service.
        let (name, token) = platform.service_token(&sandbox, service).await;
        callers.push(Caller {
            name: name.to_owned(),
            roles: &[],
            token: Some(token),
        });
        let mut calls = 0;
        for operation in Operation::all(service, client).await {
            // No row has the ids of the examples.
            let path = operation.example().path;
            for caller in &callers {
                calls += usize::from(check(caller, client, &operation, &path).await);
            }
            let public = public_path(service, &path);
            // No service token is for the gateway.
            for caller in callers.iter().filter(|caller| !caller.is_service()) {
                if let Some(path) = &public {
                    check(caller, platform.anonymous_at(GATEWAY), &operation, path).await;
                }
            }
        }
        assert!(calls > 10, "{service}: {calls}");
        callers.pop();
    }
}
