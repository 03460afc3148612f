//! Uses many routes of the platform with unique secrets, to search for these secrets afterwards.

use std::fs;

use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::platform::Platform;
use crate::sandbox::Sandbox;
use crate::shop::lamp;
use crate::{eventually, random_secret};

const SEARCH_TERM: &str = "asearchterm";
const TOKEN_REQUEST: &str = "grant_type=client_credentials&audience=inventory-service";

/// The secrets that the platform received or returned, and the errors that it returned.
#[derive(Default)]
pub struct Usage {
    /// Each secret with its description.
    pub secrets: Vec<(&'static str, String)>,
    /// The bodies of error responses.
    pub errors: Vec<String>,
}

impl Usage {
    /// Calls the routes of all services, through the gateway if they are public.
    pub async fn of_everything(sandbox: &Sandbox, platform: &Platform) -> Self {
        let mut usage = Self::default();
        let local_part: String = random_secret()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        usage.add("an email address", &local_part);
        usage.add("the key encryption key", &sandbox.secret("key-encryption-key"));

        let email = format!("{local_part}@example.com");
        let (pair, password) = usage.register(platform, &email).await;
        let user = platform.anonymous().with_token(text(&pair["access_token"]));
        usage.change_password(&user, &email, &password).await;
        usage.follow_links(sandbox, platform, &email).await;
        usage.search_and_sell(platform, &pair).await;
        let users = platform.anonymous_at("user-service");
        usage.authenticate_as_service(sandbox, users, &pair).await;
        usage.act_as_admin(sandbox, platform, &local_part).await;

        user.post("/auth/logout", json!({"refresh_token": ""}))
            .await
            .assert_status(204);
        usage.refused(&user.get("/api/users/me").await, 401);
        usage
    }

    /// Registers a user, logs in and refreshes, with the errors on the way. Returns the token pair and the password.
    async fn register(&mut self, platform: &Platform, email: &str) -> (Value, String) {
        let users = platform.anonymous();
        let (name, password) = (random_secret(), random_secret());
        let registration = json!({"email": email, "password": password, "name": name});
        users
            .post("/auth/register", registration.clone())
            .await
            .assert_status(201);
        self.refused(&users.post("/auth/register", registration.clone()).await, 409);

        // Invalid values are not quoted either.
        let mut invalid = registration;
        invalid["password"] = json!([password]);
        self.refused(&users.post("/auth/register", invalid).await, 422);

        let wrong_password = random_secret();
        self.refused(&platform.login(email, &wrong_password).await, 401);
        // A password typed into the field of the email address.
        let misplaced = random_secret();
        self.refused(&platform.login(&misplaced, &misplaced).await, 401);
        let unknown = json!({"refresh_token": random_secret()});
        self.refused(&users.post("/auth/refresh", unknown.clone()).await, 401);

        let pair = platform.login(email, &password).await.assert_status(200).json();
        let next = platform.refresh(&pair).await.assert_status(200).json();
        self.add("a name", &name);
        self.add("a password", &password);
        self.add("a wrong password", &wrong_password);
        self.add("a password in the wrong field", &misplaced);
        self.add("a wrong refresh token", text(&unknown["refresh_token"]));
        self.add("an access token", signature(&pair["access_token"]));
        self.add("a refresh token", text(&pair["refresh_token"]));
        self.add("a refreshed access token", signature(&next["access_token"]));
        self.add("a refreshed refresh token", text(&next["refresh_token"]));
        (next, password)
    }

    async fn change_password(&mut self, user: &Client, email: &str, password: &str) {
        let (wrong, new) = (random_secret(), random_secret());
        let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
        self.refused(&user.put("/auth/password", change(&wrong, &new)).await, 422);
        self.refused(&user.put("/auth/password", change(password, email)).await, 422);
        user.put("/auth/password", change(password, &new))
            .await
            .assert_status(204);
        self.add("a wrong current password", &wrong);
        self.add("a new password", &new);
    }

    /// Verifies the address, and requests a password reset, with the errors on the way. The user's sessions continue.
    async fn follow_links(&mut self, sandbox: &Sandbox, platform: &Platform, email: &str) {
        let users = platform.anonymous();
        let verification = link(sandbox, "email/verify").await;
        let body = json!({"token": verification});
        users
            .post("/auth/email/verify", body.clone())
            .await
            .assert_status(204);
        self.refused(&users.post("/auth/email/verify", body).await, 400);

        users
            .post("/auth/password/forgot", json!({"email": email}))
            .await
            .assert_status(202);
        let reset = link(sandbox, "password/reset").await;
        let body = json!({"token": reset, "new_password": email});
        self.refused(&users.post("/auth/password/reset", body).await, 422);
        self.add("the token of a link that verifies an address", &verification);
        self.add("the token of a link that resets a password", &reset);
    }

    async fn search_and_sell(&mut self, platform: &Platform, pair: &Value) {
        let token = text(&pair["access_token"]);
        let users = platform.anonymous();
        users
            .post("/auth/verify", json!({"token": token}))
            .await
            .assert(200, json!({"valid": true}));
        self.refused(&users.with_token(token).get("/api/admin/users").await, 403);

        let products = platform.anonymous();
        products
            .with_token(token)
            .post("/api/products", lamp())
            .await
            .assert_status(201);
        let forged = products.with_token(&format!("{token}x"));
        self.refused(&forged.post("/api/products", lamp()).await, 401);
        products
            .get(&format!("/api/products?q={SEARCH_TERM}"))
            .await
            .assert_status(200);
        self.add("a search term", SEARCH_TERM);
    }

    async fn authenticate_as_service(&mut self, sandbox: &Sandbox, users: &Client, pair: &Value) {
        let (secret, wrong_secret) = (sandbox.secret("order-service-secret"), random_secret());
        let service = users.with_basic_auth("order-service", &secret);
        let response = service.post_form("/oauth/token", TOKEN_REQUEST).await;
        let service_token = response.assert_status(200).json();
        for token in [
            &service_token["access_token"],
            &pair["access_token"],
            &pair["refresh_token"],
        ] {
            let form = format!("token={}", text(token));
            service
                .post_form("/oauth/introspect", &form)
                .await
                .assert(200, json!({"active": true}));
        }
        let impostor = users.with_basic_auth("order-service", &wrong_secret);
        self.refused(&impostor.post_form("/oauth/token", TOKEN_REQUEST).await, 401);
        self.add("a client secret", &secret);
        self.add("a wrong client secret", &wrong_secret);
        self.add("a service token", signature(&service_token["access_token"]));
    }

    async fn act_as_admin(&mut self, sandbox: &Sandbox, platform: &Platform, local_part: &str) {
        let pair = platform.login_admin(sandbox).await;
        let admin = platform.anonymous().with_token(text(&pair["access_token"]));
        admin
            .get(&format!("/api/admin/users?q={local_part}"))
            .await
            .assert_status(200);
        admin.get("/api/admin/audit-log").await.assert_status(200);
        let unknown_role = format!("/api/admin/users?role={SEARCH_TERM}");
        self.refused(&admin.get(&unknown_role).await, 400);
        self.add("the admin's password", &sandbox.secret("admin-password"));
    }

    fn add(&mut self, description: &'static str, secret: &str) {
        self.secrets.push((description, secret.to_owned()));
    }

    fn refused(&mut self, response: &TestResponse, status: u16) {
        response.assert_status(status);
        self.errors.push(response.body.clone());
    }
}

/// Waits for a mail with a link to this page, and returns the token of the link.
async fn link(sandbox: &Sandbox, page: &str) -> String {
    let token = || {
        let files = fs::read_dir(sandbox.data("outbox")).ok()?;
        let mails = files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok());
        let start = format!("/auth/{page}#token=");
        let mut tokens = mails.filter_map(|mail| Some(mail.split_once(&start)?.1.lines().next()?.to_owned()));
        tokens.next()
    };
    eventually("a mail is written", async || token().is_some()).await;
    token().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The part of a token that is secret.
fn signature(token: &Value) -> &str {
    text(token).rsplit('.').next().unwrap()
}
