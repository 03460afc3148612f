//! The callers, and the credentials with which they call.

use std::collections::HashMap;

use serde_json::{Value, json};
use test_kit::Client;

use super::tokens::PlatformKey;
use crate::operations::{Operation, Policy};
use crate::platform::{PASSWORD, Platform};
use crate::sandbox::{REGISTRY, Sandbox};

/// The service that calls as «service» wherever the route names none: it may call the most services.
const SERVICE: &str = "order-service";
/// A registered service that the routes for one service don't name.
const WRONG_SERVICE: &str = "product-service";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caller {
    Anonymous,
    User,
    OtherUser,
    Support,
    Admin,
    Service,
    WrongService,
    Expired,
    WrongAudience,
    Revoked,
    Forged,
}

impl Caller {
    pub const ALL: [Self; 11] = [
        Self::Anonymous,
        Self::User,
        Self::OtherUser,
        Self::Support,
        Self::Admin,
        Self::Service,
        Self::WrongService,
        Self::Expired,
        Self::WrongAudience,
        Self::Revoked,
        Self::Forged,
    ];

    /// The heading of the caller's column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User => "user",
            Self::OtherUser => "other user",
            Self::Support => "support",
            Self::Admin => "admin",
            Self::Service => "service",
            Self::WrongService => "wrong service",
            Self::Expired => "expired",
            Self::WrongAudience => "wrong audience",
            Self::Revoked => "revoked",
            Self::Forged => "forged",
        }
    }
}

/// Makes users and tokens on the running platform.
pub struct Credentials<'p> {
    sandbox: &'p Sandbox,
    platform: &'p Platform,
    key: PlatformKey,
    /// The first admin, who gives other users their roles.
    first_admin: Client,
    /// Tokens of users who are logged in. A cell that changes something may end their sessions.
    users: HashMap<Caller, String>,
    /// The token of an admin who never calls anything with it.
    valid_admin_token: String,
    revoked: String,
    registered: usize,
}

impl<'p> Credentials<'p> {
    pub async fn new(sandbox: &'p Sandbox, platform: &'p Platform) -> Self {
        let pair = platform.login_admin(sandbox).await;
        let mut new = Self {
            sandbox,
            platform,
            key: PlatformKey::read(sandbox).await,
            first_admin: platform.anonymous().with_token(text(&pair["access_token"])),
            users: HashMap::new(),
            valid_admin_token: String::new(),
            revoked: String::new(),
            registered: 0,
        };
        new.valid_admin_token = new.log_in(&["user", "admin"]).await;
        new.revoked = new.log_in(&["user", "admin"]).await;
        let revoked = platform.anonymous().with_token(&new.revoked);
        let body = json!({"refresh_token": ""});
        revoked.post("/auth/logout", body).await.assert_status(204);
        new
    }

    /// A token of which the platform must say everywhere that it is revoked.
    pub fn revoked(&self) -> &str {
        &self.revoked
    }

    /// Discards the users who may have been logged out or changed.
    pub fn forget_users(&mut self) {
        self.users.clear();
    }

    /// An email address that no user has.
    pub fn new_email(&mut self) -> String {
        self.registered += 1;
        format!("user-{}@example.com", self.registered)
    }

    /// The client of this URL with the caller's credential for this operation.
    pub async fn client(&mut self, url: &Client, caller: Caller, operation: &Operation) -> Client {
        let client = url.clone();
        match caller {
            Caller::Anonymous => client,
            Caller::User | Caller::OtherUser => client.with_token(&self.user(caller, &["user"]).await),
            Caller::Support => client.with_token(&self.user(caller, &["user", "support"]).await),
            Caller::Admin => client.with_token(&self.user(caller, &["user", "admin"]).await),
            Caller::Service if operation.policy == Policy::Client => {
                client.with_basic_auth(SERVICE, &self.secret(SERVICE))
            }
            Caller::WrongService if operation.policy == Policy::Client => {
                client.with_basic_auth(SERVICE, &self.secret(WRONG_SERVICE))
            }
            Caller::Service => client.with_token(&self.service_token(operation).await),
            Caller::WrongService => client.with_token(&self.wrong_service_token(operation).await),
            Caller::Expired => client.with_token(&self.key.expired(&self.admitted_token(operation).await)),
            Caller::WrongAudience => {
                let token = self.admitted_token(operation).await;
                client.with_token(&self.key.for_audience(&token, "another-audience"))
            }
            Caller::Revoked => client.with_token(&self.revoked),
            Caller::Forged => client.with_token(&self.key.forged(&self.admitted_token(operation).await)),
        }
    }

    /// A token that the route admits: an admin's, or a service's.
    async fn admitted_token(&self, operation: &Operation) -> String {
        match operation.policy {
            Policy::Service(_) => self.service_token(operation).await,
            _ => self.valid_admin_token.clone(),
        }
    }

    async fn user(&mut self, caller: Caller, roles: &[&str]) -> String {
        if let Some(token) = self.users.get(&caller) {
            return token.clone();
        }
        let token = self.log_in(roles).await;
        self.users.insert(caller, token.clone());
        token
    }

    /// The access token of a new user with these roles.
    async fn log_in(&mut self, roles: &[&str]) -> String {
        let email = self.new_email();
        let user = self.platform.register(&email).await.assert_status(201).json();
        if roles != ["user"] {
            let path = format!("/api/admin/users/{}", text(&user["id"]));
            let change = json!({"roles": roles});
            self.first_admin.patch(&path, change).await.assert_status(200);
        }
        let pair = self
            .platform
            .login(&email, PASSWORD)
            .await
            .assert_status(200)
            .json();
        text(&pair["access_token"]).to_owned()
    }

    /// A token of the service that the route admits, for the route's service.
    async fn service_token(&self, operation: &Operation) -> String {
        let name = match &operation.policy {
            Policy::Service(Some(name)) => name,
            _ => SERVICE,
        };
        let audiences = &REGISTRY.find(name).expect("a registered service").calls;
        // If the registry doesn't let it call this service: the token that user-service would issue if it did.
        let is_allowed = audiences.contains(&operation.service);
        let audience = if is_allowed {
            &operation.service
        } else {
            &audiences[0]
        };
        let token = self
            .platform
            .issue_service_token(self.sandbox, name, audience)
            .await;
        if is_allowed {
            return token;
        }
        self.key.for_audience(&token, &operation.service)
    }

    /// A token of another service than the route names; or, if it names none, a token for another service.
    async fn wrong_service_token(&self, operation: &Operation) -> String {
        let token = self.service_token(operation).await;
        match &operation.policy {
            Policy::Service(Some(name)) if name == WRONG_SERVICE => self.key.of_service(&token, SERVICE),
            Policy::Service(Some(_)) => self.key.of_service(&token, WRONG_SERVICE),
            _ => self.key.for_audience(&token, "another-service"),
        }
    }

    fn secret(&self, service: &str) -> String {
        self.sandbox.secret(&format!("{service}-secret"))
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
