//! A revoked token is refused by every program, for each cause of a revocation.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::platform::{PASSWORD, Platform};
use crate::sandbox::Sandbox;
use crate::within;

/// How soon every program must refuse a revoked token.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

/// The sessions that a user can have.
const MAX_SESSIONS: usize = 100;

/// The programs that verify a user's token, each with a route for users.
const PROTECTED: [(&str, &str, &str); 6] = [
    ("user-service", "GET", "/users/me"),
    ("product-service", "POST", "/products"),
    ("order-service", "GET", "/orders"),
    (
        "inventory-service",
        "PUT",
        "/inventory/01a22357-bd82-714c-9946-d6f6b3b20c7d",
    ),
    ("gateway", "GET", "/api/orders"),
    ("gateway", "POST", "/api/products"),
];

struct World<'p> {
    platform: &'p Platform,
    admin: Client,
    order_service_secret: String,
}

impl<'p> World<'p> {
    async fn new(sandbox: &Sandbox, platform: &'p Platform) -> Self {
        let password = sandbox.secret("admin-password");
        let pair = platform
            .login("admin@example.com", &password)
            .await
            .assert_status(200)
            .json();
        Self {
            platform,
            admin: platform.anonymous().with_token(text(&pair["access_token"])),
            order_service_secret: sandbox.secret("order-service-secret"),
        }
    }

    async fn login(&self, email: &str) -> Value {
        self.platform
            .login(email, PASSWORD)
            .await
            .assert_status(200)
            .json()
    }

    fn client(&self, pair: &Value) -> Client {
        self.platform.anonymous().with_token(text(&pair["access_token"]))
    }

    /// The response of a program to this `Authorization`.
    async fn call(&self, (service, method, path): (&str, &str, &str), authorization: &str) -> TestResponse {
        let client = self
            .platform
            .anonymous_at(service)
            .with("authorization", authorization);
        let method = method.parse().unwrap();
        client
            .send(&method, path, |request| request.json(&json!({})))
            .await
    }

    async fn assert_admitted_everywhere(&self, token: &str) {
        for route in PROTECTED {
            let answer = self.call(route, &format!("Bearer {token}")).await;
            assert!([200, 404, 422].contains(&answer.status), "{route:?}: {answer:?}");
        }
    }

    /// Requires that every program refuses these tokens within a second from now, in both spellings of the scheme.
    async fn assert_refused_everywhere(&self, cause: &str, tokens: &[&str]) {
        let mut refusals = Vec::new();
        for route in PROTECTED {
            for scheme in ["Bearer", "bearer"] {
                for token in tokens {
                    refusals.push(self.assert_refused(cause, route, format!("{scheme} {token}")));
                }
            }
        }
        join_all(refusals).await;
    }

    async fn assert_refused(&self, cause: &str, route: (&str, &str, &str), authorization: String) {
        let refused = format!("{cause}: {route:?} refuses");
        let is_refused = async || self.call(route, &authorization).await.status == 401;
        within(REVOKED_WITHIN, &refused, is_refused).await;
        let answer = self.call(route, &authorization).await;
        answer.assert_problem(401, "token_revoked");
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Logs a new user in twice, revokes the first login by this cause, and checks that all programs refuse its tokens: one that they
/// have seen, and one that they have not.
async fn check(world: &World<'_>, cause: &str, is_whole_user: bool) {
    let email = format!("{}@example.com", cause.replace(' ', "-"));
    world.platform.register(&email).await.assert_status(201);
    let (seen, other) = (world.login(&email).await, world.login(&email).await);
    let unseen = world.platform.refresh(&seen).await.assert_status(200).json();
    let [seen_token, unseen_token, other_token] =
        [&seen, &unseen, &other].map(|pair| text(&pair["access_token"]).to_owned());
    world.assert_admitted_everywhere(&seen_token).await;
    world.assert_admitted_everywhere(&other_token).await;

    revoke(world, cause, &email, [&seen, &unseen, &other]).await;
    let mut revoked = vec![seen_token.as_str(), &unseen_token];
    revoked.extend(is_whole_user.then_some(other_token.as_str()));
    world.assert_refused_everywhere(cause, &revoked).await;
    if !is_whole_user {
        world.assert_admitted_everywhere(&other_token).await;
    }
}

async fn revoke(world: &World<'_>, cause: &str, email: &str, [seen, unseen, other]: [&Value; 3]) {
    let (user, admin) = (text(&seen["user"]["id"]), &world.admin);
    let admin_path = format!("/api/admin/users/{user}");
    let [mine, others] = [unseen, other].map(|pair| world.client(pair));
    let answer = match cause {
        "logout" => mine.post("/auth/logout", json!({"refresh_token": ""})).await,
        "logout by refresh token" => {
            let body = json!({"refresh_token": unseen["refresh_token"]});
            world.platform.anonymous().post("/auth/logout", body).await
        }
        "logout all" => mine.post("/auth/logout-all", json!({})).await,
        "session delete" => {
            let sessions = others.get("/auth/sessions").await.json();
            let is_other = |session: &&Value| session["current"] == false;
            let session = sessions["items"]
                .as_array()
                .unwrap()
                .iter()
                .find(is_other)
                .unwrap();
            others
                .delete(&format!("/auth/sessions/{}", text(&session["id"])))
                .await
        }
        "password change" => {
            let body = json!({"current_password": PASSWORD, "new_password": "another horse battery"});
            others.put("/auth/password", body).await
        }
        "disable" => admin.patch(&admin_path, json!({"disabled": true})).await,
        "delete" => admin.delete(&admin_path).await,
        "change of roles" => {
            admin
                .patch(&admin_path, json!({"roles": ["user", "support"]}))
                .await
        }
        "admin logout" => admin.post(&format!("{admin_path}/logout"), json!({})).await,
        "refresh replay" => {
            // The successor was used, so the first token is a replay.
            world.platform.refresh(unseen).await.assert_status(200);
            world
                .platform
                .refresh(seen)
                .await
                .assert_problem(401, "invalid_refresh_token");
            return;
        }
        "oauth revoke" => {
            let service = world.platform.anonymous_at("user-service");
            let service = service.with_basic_auth("order-service", &world.order_service_secret);
            let form = format!("token={}", text(&unseen["access_token"]));
            service.post_form("/oauth/revoke", &form).await
        }
        "login with a hundred sessions" => {
            // The session that was not used for the longest time ends: that of the first login.
            world.platform.refresh(other).await.assert_status(200);
            for _ in 2..MAX_SESSIONS {
                world.login(email).await;
            }
            world.platform.login(email, PASSWORD).await
        }
        "emergency" => {
            let body = json!({"emergency": true});
            admin.post("/api/admin/keys/rotate", body).await
        }
        other => panic!("{other} of {email}"),
    };
    assert!([200, 204].contains(&answer.status), "{cause}: {answer:?}");
}

#[tokio::test]
async fn each_cause_is_obeyed_by_every_program_within_a_second() {
    let sandbox = Sandbox::new().await;
    let vars = [
        ("RATE_LIMIT", "0"),
        ("ARGON2_MEMORY_KIB", "64"),
        ("ARGON2_PASSES", "1"),
    ];
    let platform = sandbox.platform_with(&vars).await;
    let world = World::new(&sandbox, &platform).await;
    for (cause, is_whole_user) in [
        ("logout", false),
        ("logout by refresh token", false),
        ("session delete", false),
        ("password change", false),
        ("refresh replay", false),
        ("oauth revoke", false),
        ("login with a hundred sessions", false),
        ("logout all", true),
        ("admin logout", true),
        ("change of roles", true),
        ("disable", true),
        ("delete", true),
        // Last, because it also revokes the admin's token.
        ("emergency", true),
    ] {
        check(&world, cause, is_whole_user).await;
    }
    let after = world.login("logout@example.com").await;
    world
        .assert_admitted_everywhere(text(&after["access_token"]))
        .await;
    assert_each_event_was_logged_once(&platform);
}

/// Each security event has one line in the log, with actor, outcome, address and request id, and no secret.
fn assert_each_event_was_logged_once(platform: &Platform) {
    let events = platform.log.events();
    let of = |name: &str| -> Vec<&Value> {
        let is_event = |event: &&Value| event["message"] == "security event" && event["event"] == name;
        events.iter().filter(is_event).collect()
    };
    for (name, count) in [
        ("registered", 13),
        ("logout", 2),
        ("session_ended", 1),
        ("password_changed", 1),
        ("refresh_replayed", 1),
        ("token_revoked", 1),
        ("logout_all", 1),
        ("user_logged_out", 1),
        ("user_changed", 2),
        ("user_deleted", 1),
    ] {
        let logged = of(name);
        assert_eq!(logged.len(), count, "{name}: {logged:?}");
        for event in logged {
            let outcome = if name == "refresh_replayed" {
                "failure"
            } else {
                "success"
            };
            assert!(event["outcome"] == outcome, "{event}");
            assert!(event["client.address"] == "127.0.0.1", "{event}");
            assert!(
                event["request.id"].as_str().is_some_and(|id| id.len() > 10),
                "{event}"
            );
            let is_anonymous = ["refresh_replayed", "token_revoked"].contains(&name);
            assert_eq!(event["actor.id"].is_null(), is_anonymous, "{event}");
            assert!(event["subject.id"].is_string(), "{event}");
        }
    }
    let log = platform.log.text();
    for secret in [PASSWORD, "another horse battery", "@example.com", "eyJ"] {
        assert!(!log.contains(secret), "{secret}");
    }
}
