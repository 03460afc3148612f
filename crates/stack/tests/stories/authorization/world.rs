//! Calls every operation as every caller.

use std::collections::HashMap;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use service_kit::RegisteredService;
use test_kit::{Client, TestResponse};
use uuid::Uuid;

use super::callers::{Caller, Credentials};
use super::rows::{self, Origin, Rows};
use crate::eventually;
use crate::operations::{Operation, Policy, Request, public_path};
use crate::platform::Platform;
use crate::sandbox::{REGISTRY, Sandbox};

/// The running platform, and the users and rows that exist there for the next cell.
pub struct World<'p> {
    platform: &'p Platform,
    /// A client of each service. Creating a client costs more than using it.
    clients: HashMap<String, Client>,
    pub operations: Vec<Operation>,
    credentials: Credentials<'p>,
    rows: Rows,
}

/// Where a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Service,
    Gateway,
}

impl<'p> World<'p> {
    pub async fn new(sandbox: &'p Sandbox, platform: &'p Platform) -> Self {
        let (mut operations, mut clients) = (Vec::new(), HashMap::new());
        for service in REGISTRY.iter() {
            let client = Client::new(origin(platform, service));
            operations.extend(Operation::all(&service.name, &client).await);
            clients.insert(service.name.clone(), client);
        }
        let mut pages = Operation::gateway_pages(platform.anonymous(), &operations).await;
        pages.append(&mut operations);
        let mut world = Self {
            platform,
            clients,
            operations: pages,
            credentials: Credentials::new(sandbox, platform).await,
            rows: Rows::default(),
        };
        world.wait_until_revoked().await;
        world
    }

    /// The response to this caller, with the rows that the request names. What the request changed is not used again.
    pub async fn call(&mut self, operation: &Operation, door: Door, caller: Caller) -> TestResponse {
        let mut request = self.request(operation).await;
        let url = match door {
            Door::Service => self.clients[&operation.service].clone(),
            Door::Gateway => {
                if !operation.is_gateway_page {
                    let public = public_path(&operation.service, &request.path);
                    request.path = public.expect("a public route");
                }
                self.platform.anonymous().clone()
            }
        };
        let client = self.credentials.client(&url, caller, operation).await;
        let response = send(&client, operation, &request).await;
        if !operation.is_safe() && response.status < 400 {
            self.forget_rows();
            self.credentials.forget_users();
        }
        response
    }

    /// Whether the gateway itself has a page at this path.
    pub fn is_gateway_page(&self, path: &str) -> bool {
        let mut pages = self
            .operations
            .iter()
            .filter(|operation| operation.is_gateway_page);
        pages.any(|page| page.path == path)
    }

    /// Forgets the rows that the requests of other operations named.
    pub fn forget_rows(&mut self) {
        self.rows = Rows::default();
    }

    /// The response of the gateway to a path that is no public route.
    pub async fn probe(&mut self, operation: &Operation, path: &str, caller: Caller) -> TestResponse {
        let request = Request {
            path: path.to_owned(),
            ..operation.example()
        };
        let client = self
            .credentials
            .client(self.platform.anonymous(), caller, operation)
            .await;
        send(&client, operation, &request).await
    }

    /// The example request of an operation, about rows that exist.
    fn request<'w>(&'w mut self, operation: &'w Operation) -> LocalBoxFuture<'w, Request> {
        async move {
            for id in operation.requirements() {
                let required = self.required(operation, &id);
                if self.rows.done.insert(required.key()) {
                    self.succeed(&required).await;
                }
            }
            let example = operation.example();
            for reference in rows::references(&example) {
                self.create(operation, &reference).await;
            }
            self.rows.fill(&example)
        }
        .boxed_local()
    }

    /// The operation with this id: that of the same service, or else that of another.
    fn required(&self, operation: &Operation, id: &str) -> Operation {
        let mut named: Vec<_> = self.operations.iter().filter(|other| other.id() == id).collect();
        named.sort_by_key(|other| other.service != operation.service);
        let first = named
            .first()
            .unwrap_or_else(|| panic!("there is no operation {id}"));
        Operation::clone(first)
    }

    /// Creates the row of this example value, unless it exists.
    async fn create(&mut self, operation: &Operation, example: &str) {
        if self.rows.value(example).is_some() {
            return;
        }
        let Some(Origin {
            operation: origin,
            pointer,
        }) = rows::origin(&self.operations, example)
        else {
            return;
        };
        let is_chosen = rows::references(&origin.example())
            .iter()
            .any(|own| own == example);
        if is_chosen {
            let value = if example.contains('@') {
                self.credentials.new_email()
            } else {
                Uuid::new_v4().to_string()
            };
            self.rows.add(example, &value);
        }
        if origin.key() == operation.key() {
            return;
        }
        if !is_chosen {
            self.rows.begin(example);
        }
        let response = self.succeed(&origin).await.json();
        let value = response.pointer(&pointer).and_then(|value| value.as_str());
        let value = value.unwrap_or_else(|| panic!("{} returned no {pointer}: {response}", origin.id()));
        self.rows.add(example, value);
    }

    /// Sends the example request of an operation as a caller that it admits: the user, wherever a user may.
    async fn succeed(&mut self, operation: &Operation) -> TestResponse {
        let request = self.request(operation).await;
        let caller = match operation.policy {
            Policy::Anyone => Caller::Anonymous,
            Policy::User | Policy::Scope(_) => Caller::User,
            Policy::Role(_) => Caller::Admin,
            Policy::Service(_) | Policy::Client => Caller::Service,
        };
        let url = self.clients[&operation.service].clone();
        let client = self.credentials.client(&url, caller, operation).await;
        let response = send(&client, operation, &request).await;
        assert!(
            response.status < 300,
            "the example of {} fails: {response:?}",
            operation.id()
        );
        response
    }

    /// Waits until every program has heard of the revoked token.
    async fn wait_until_revoked(&mut self) {
        for service in REGISTRY.iter() {
            let mut own = self
                .operations
                .iter()
                .filter(|operation| operation.service == service.name);
            let is_for_users =
                |operation: &&Operation| matches!(operation.policy, Policy::User | Policy::Scope(_));
            let Some(operation) = own.find(is_for_users).cloned() else {
                continue;
            };
            let client = self.clients[&service.name].with_token(self.credentials.revoked());
            let request = operation.example();
            eventually(
                &format!("{} refuses the revoked token", service.name),
                async || send(&client, &operation, &request).await.status == 401,
            )
            .await;
        }
        let gateway = self.platform.anonymous().with_token(self.credentials.revoked());
        eventually("the gateway refuses the revoked token", async || {
            gateway.get("/api/users/me").await.status == 401
        })
        .await;
    }
}

/// The origin of a service; of the gateway, that of its inner port.
fn origin(platform: &Platform, service: &RegisteredService) -> String {
    let port = platform.port(&service.name);
    let inner = service.inner_port(port);
    format!("http://127.0.0.1:{}", inner.unwrap_or(port))
}

async fn send(client: &Client, operation: &Operation, request: &Request) -> TestResponse {
    client
        .send(&operation.method, &request.path, |builder| {
            request.add_body(builder)
        })
        .await
}
