//! A revoked token is refused by every program, for each cause of a revocation.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use test_kit::{Client, TestResponse};

use crate::platform::{PASSWORD, Platform};
use crate::sample_routes::{SampleRoute, SampleRoutes};
use crate::sandbox::Sandbox;
use crate::{BUSY, within_since};

/// How soon every program must refuse a revoked token.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);
/// How many sessions a user may have.
const MAX_SESSIONS: usize = 100;

struct World<'p> {
    platform: &'p Platform,
    sandbox: &'p Sandbox,
    admin: Client,
    routes: SampleRoutes,
}

impl<'p> World<'p> {
    async fn new(sandbox: &'p Sandbox, platform: &'p Platform) -> Self {
        let pair = platform.login_admin(sandbox).await;
        Self {
            platform,
            sandbox,
            admin: platform.anonymous().with_token(text(&pair["access_token"])),
            routes: SampleRoutes::of(platform).await,
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

    /// A token for calls to this service.
    async fn service_token(&self, audience: &str) -> String {
        self.platform.service_token(self.sandbox, audience).await.1
    }

    /// The response of a program to this `Authorization`.
    async fn call(&self, route: &SampleRoute, authorization: &str) -> TestResponse {
        let client = self.platform.anonymous_at(route.service);
        route.call(&client.with("authorization", authorization)).await
    }

    async fn assert_admitted(&self, routes: &[SampleRoute], token: &str) {
        for route in routes {
            let answer = self.call(route, &format!("Bearer {token}")).await;
            assert!(
                [200, 204, 404, 422].contains(&answer.status),
                "{route:?}: {answer:?}"
            );
        }
    }
}

/// A cause of revocations, and when it was committed.
struct Revoked<'c> {
    cause: &'c str,
    at: Instant,
}

impl<'c> Revoked<'c> {
    fn now(cause: &'c str) -> Self {
        Self {
            cause,
            at: Instant::now(),
        }
    }

    /// Waits until each route refuses the token, in both spellings of the scheme.
    async fn assert_refused(&self, world: &World<'_>, routes: &[SampleRoute], token: &str) {
        for route in routes {
            for scheme in ["Bearer", "bearer"] {
                let authorization = format!("{scheme} {token}");
                within_since(
                    self.at,
                    REVOKED_WITHIN + BUSY,
                    &format!("{}: {route:?} refuses", self.cause),
                    async || is_revoked(&world.call(route, &authorization).await),
                )
                .await;
                let answer = world.call(route, &authorization).await;
                answer.assert_problem(401, "token_revoked");
            }
        }
    }
}

fn is_revoked(answer: &TestResponse) -> bool {
    answer.status == 401 && answer.json()["code"] == "token_revoked"
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// Logs a new user in twice, revokes the first login by this cause, and checks that all programs refuse its tokens: one that they
/// have seen, and one that they have not.
async fn check(world: &World<'_>, cause: &str, is_whole_user: bool) {
    let for_users = &world.routes.for_users;
    let email = format!("{}@example.com", cause.replace(' ', "-"));
    world.platform.register(&email).await.assert_status(201);
    let (seen, other) = (world.login(&email).await, world.login(&email).await);
    let unseen = world.platform.refresh(&seen).await.assert_status(200).json();
    // The first login is now the least recently used one.
    let other = world.platform.refresh(&other).await.assert_status(200).json();
    let [seen_token, unseen_token, other_token] =
        [&seen, &unseen, &other].map(|pair| text(&pair["access_token"]).to_owned());
    world.assert_admitted(for_users, &seen_token).await;
    world.assert_admitted(for_users, &other_token).await;

    revoke(world, cause, &email, [&seen, &unseen, &other]).await;
    let revoked = Revoked::now(cause);
    for token in [&seen_token, &unseen_token] {
        revoked.assert_refused(world, for_users, token).await;
    }
    if is_whole_user {
        revoked.assert_refused(world, for_users, &other_token).await;
    } else {
        world.assert_admitted(for_users, &other_token).await;
    }
}

/// Discards the signing keys, and checks that all programs refuse the tokens of users and services that the old keys signed, and
/// admit new ones.
async fn check_emergency_rotation(world: &World<'_>) {
    let SampleRoutes {
        for_users,
        for_services,
    } = &world.routes;
    let email = "emergency@example.com";
    world.platform.register(email).await.assert_status(201);
    let (seen, unseen) = (world.login(email).await, world.login(email).await);
    world
        .assert_admitted(for_users, text(&seen["access_token"]))
        .await;
    let mut of_services = Vec::new();
    for route in for_services.chunks(1) {
        let service = route[0].service;
        let (seen, unseen) = (
            world.service_token(service).await,
            world.service_token(service).await,
        );
        world.assert_admitted(route, &seen).await;
        of_services.push((route, [seen, unseen]));
    }

    let body = json!({"emergency": true});
    let answer = world.admin.post("/api/admin/keys/rotate", body).await;
    answer.assert_status(200);
    let revoked = Revoked::now("emergency rotation");
    for pair in [&seen, &unseen] {
        let token = text(&pair["access_token"]);
        revoked.assert_refused(world, for_users, token).await;
    }
    for (route, tokens) in of_services {
        for token in tokens {
            revoked.assert_refused(world, route, &token).await;
        }
        let new = world.service_token(route[0].service).await;
        world.assert_admitted(route, &new).await;
    }
    let new = world.login(email).await;
    world.assert_admitted(for_users, text(&new["access_token"])).await;
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
        "session limit" => {
            // The two sessions of this user fill the rest.
            for _ in 2..MAX_SESSIONS {
                world.login(email).await;
            }
            world.platform.login(email, PASSWORD).await
        }
        "oauth revoke" => {
            let form = format!("token={}", text(&unseen["access_token"]));
            let client = world
                .platform
                .client_of_user_service(world.sandbox, "order-service");
            client.post_form("/oauth/revoke", &form).await
        }
        other => panic!("{other} of {email}"),
    };
    assert!([200, 204].contains(&answer.status), "{cause}: {answer:?}");
}

#[tokio::test]
async fn each_cause_is_obeyed_by_every_program_within_a_second() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_where_all_call_all().await;
    let world = World::new(&sandbox, &platform).await;
    for (cause, is_whole_user) in [
        ("logout", false),
        ("logout by refresh token", false),
        ("session delete", false),
        ("password change", false),
        ("refresh replay", false),
        ("oauth revoke", false),
        ("session limit", false),
        ("logout all", true),
        ("admin logout", true),
        ("change of roles", true),
        ("disable", true),
        ("delete", true),
    ] {
        check(&world, cause, is_whole_user).await;
    }
    // The last one, because it ends the admin's token, too.
    check_emergency_rotation(&world).await;
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
        ("keys_rotated", 1),
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
            let concerns_all = name == "keys_rotated";
            assert_eq!(event["subject.id"].is_null(), concerns_all, "{event}");
        }
    }
    let log = platform.log.text();
    for secret in [PASSWORD, "another horse battery", "@example.com", "eyJ"] {
        assert!(!log.contains(secret), "{secret}");
    }
}
