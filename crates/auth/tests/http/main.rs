//! Access over HTTP, and refusals: status, challenge (RFC 6750 §3) and problem details (RFC 9457).
#![expect(clippy::unwrap_used, reason = "a failed expectation fails the test")]

use std::future::{Ready, ready};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer};
use auth::testing::Issuer;
use auth::{
    Admin, AnyRole, Anyone, CurrentUser, FromService, HasRole, HasScope, IsAdmin, IsService, Keys,
    ProblemDetails, Revocation, Revocations, Routes, Support, VerifyToken, authorize,
};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};
use uuid::Uuid;

auth::scopes! {
    /// May read things.
    ReadThings = "things:read";
}

auth::services! {
    /// Orders things.
    OrderService = "order-service";
}

const SERVICE: &str = "thing-service";
const GUARDED: [&str; 7] = [
    "/user",
    "/admin",
    "/support",
    "/either",
    "/scope",
    "/service",
    "/order-service",
];

async fn anyone(_: Anyone) -> &'static str {
    "anyone"
}
async fn optional(CurrentUser(user): CurrentUser) -> String {
    user.map_or_else(|| "anonymous".to_owned(), |user| user.name().to_owned())
}
async fn user(VerifyToken(user): VerifyToken) -> String {
    user.name().to_owned()
}
async fn admin(IsAdmin(user): IsAdmin) -> String {
    user.name().to_owned()
}
async fn support(user: HasRole<Support>) -> String {
    user.name().to_owned()
}
async fn either(user: AnyRole<(Support, Admin)>) -> String {
    user.name().to_owned()
}
async fn scope(user: HasScope<ReadThings>) -> String {
    user.name().to_owned()
}
async fn service(IsService(caller): IsService) -> String {
    caller.name().to_owned()
}
async fn order_service(caller: FromService<OrderService>) -> String {
    caller.name().to_owned()
}

/// One route for each type of first argument.
fn listed(config: &mut ServiceConfig) {
    Routes::new()
        .get("/anyone", anyone)
        .get("/optional", optional)
        .get("/user", user)
        .get("/admin", admin)
        .get("/support", support)
        .get("/either", either)
        .get("/scope", scope)
        .get("/service", service)
        .get("/order-service", order_service)
        .configure(config);
}

/// The same handlers in an application without a route list.
fn plain(config: &mut ServiceConfig) {
    config
        .route("/anyone", web::get().to(anyone))
        .route("/optional", web::get().to(optional))
        .route("/user", web::get().to(user))
        .route("/admin", web::get().to(admin))
        .route("/support", web::get().to(support))
        .route("/either", web::get().to(either))
        .route("/scope", web::get().to(scope))
        .route("/service", web::get().to(service))
        .route("/order-service", web::get().to(order_service));
}

fn challenge(error: &str, description: &str) -> String {
    format!(r#"Bearer realm="countersign", error="{error}", error_description="{description}""#)
}

/// A response with its whole body.
struct TestResponse {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl TestResponse {
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name);
        let value = values.next().map(|value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} twice");
        value
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    fn assert(&self, status: u16, text: &str) {
        assert_eq!((self.status, self.text()), (status, text));
    }

    /// Requires a refusal with exactly these members.
    #[track_caller]
    fn assert_problem(&self, status: u16, code: &str, detail: &str, challenge: Option<&str>) {
        let title = StatusCode::from_u16(status).unwrap().canonical_reason();
        let problem =
            json!({"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code});
        assert_eq!(
            (self.status, serde_json::from_slice::<Value>(&self.body).unwrap()),
            (status, problem)
        );
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("www-authenticate"), challenge);
        assert_eq!(self.header("retry-after"), (status == 503).then_some("1"));
    }

    #[track_caller]
    fn assert_no_token(&self) {
        let challenge = r#"Bearer realm="countersign""#;
        self.assert_problem(401, "no_token", "An access token is required.", Some(challenge));
    }

    #[track_caller]
    fn assert_bad_token(&self, code: &str, detail: &str) {
        self.assert_problem(401, code, detail, Some(&challenge("invalid_token", detail)));
    }

    #[track_caller]
    fn assert_invalid_token(&self) {
        self.assert_bad_token("invalid_token", "The access token is not valid.");
    }

    #[track_caller]
    fn assert_forbidden(&self, scope: Option<&str>) {
        let detail = "You are not allowed to do this.";
        let scope = scope
            .map(|scope| format!(r#", scope="{scope}""#))
            .unwrap_or_default();
        let challenge = challenge("insufficient_scope", detail) + &scope;
        self.assert_problem(403, "forbidden", detail, Some(&challenge));
    }
}

async fn read<B: MessageBody>(response: ServiceResponse<B>) -> TestResponse {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    TestResponse {
        status,
        headers,
        body: read_body(response).await.to_vec(),
    }
}

/// Calls the app. A macro, since the type of the test service has no name.
macro_rules! call {
    ($app:expr, $request:expr) => {
        read(call_service(&$app, $request.to_request()).await).await
    };
}

macro_rules! app {
    ($issuer:expr, $configure:expr) => {
        init_service(
            App::new()
                .app_data(Data::new($issuer.verifier()))
                .configure($configure),
        )
        .await
    };
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn get_as(path: &str, token: &str) -> TestRequest {
    get(path).insert_header(("authorization", format!("Bearer {token}")))
}

/// Requires that each caller is admitted to its routes and no others. For apps with and without a route list.
macro_rules! assert_access {
    ($configure:expr) => {
        let issuer = Issuer::new(SERVICE);
        let app = app!(issuer, $configure);
        let name = "Ada";
        let callers = [
            (issuer.as_user().name(name), ["/user"].as_slice()),
            (
                issuer.as_user().name(name).scope("a things:read"),
                &["/user", "/scope"],
            ),
            (issuer.as_user().name(name).scope("things:read-all"), &["/user"]),
            (
                issuer.as_roles(&["user", "support"]).name(name),
                &["/user", "/support", "/either"],
            ),
            (issuer.as_admin().name(name), &["/user", "/admin", "/either"]),
            (issuer.as_roles(&["administrator"]).name(name), &["/user"]),
            (issuer.as_roles(&[]).name(name), &["/user"]),
            (issuer.as_service(name).scope("things:read"), &["/service"]),
            (
                issuer.as_service("order-service"),
                &["/service", "/order-service"],
            ),
        ];
        for (caller, allowed) in callers {
            let is_service = caller.claims().sid.is_none();
            let name = if is_service { &caller.claims().sub } else { name };
            let token = caller.token();
            for path in GUARDED {
                let response = call!(app, get_as(path, &token));
                if allowed.contains(&path) {
                    response.assert(200, name);
                } else {
                    response.assert_forbidden((path == "/scope").then_some("things:read"));
                }
            }
            call!(app, get_as("/anyone", &token)).assert(200, "anyone");
            // A service is not a user, so it is anonymous where the user is optional.
            call!(app, get_as("/optional", &token)).assert(200, if is_service { "anonymous" } else { name });
        }
    };
}

// The modules use the macros above, so they must follow them.
mod access;
mod apps;
#[path = "../captured_log/mod.rs"]
mod captured_log;
mod connections;
mod cookies;
mod cross_site;
mod logging;
mod middleware;
mod refusals;
mod routes;
