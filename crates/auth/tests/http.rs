//! Who is let in over HTTP, and what the others are told: status, challenge (RFC 6750 §3) and problem details (RFC 9457).

use std::future::{Ready, ready};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{App, FromRequest, HttpRequest, HttpResponse, HttpServer};
use auth::testing::Issuer;
use auth::{
    Admin, AnyRole, Anyone, CurrentUser, HasRole, HasScope, IsAdmin, IsService, Keys, ProblemDetails, Revocation,
    Revocations, Routes, Support, Verifier, VerifyToken, authorize,
};
use serde_json::{Value, json};
use uuid::Uuid;

auth::scopes! {
    /// May read things.
    ReadThings = "things:read";
}

const SERVICE: &str = "thing-service";
const GUARDED: [&str; 6] = ["/user", "/admin", "/support", "/either", "/scope", "/service"];

async fn anyone(_: Anyone) -> &'static str {
    "anyone"
}
async fn optional(CurrentUser(user): CurrentUser) -> String {
    user.map_or_else(|| "nobody".to_owned(), |user| user.name().to_owned())
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

/// One route for each type that says who may call.
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
        .configure(config);
}

/// The same handlers in an application that has no route list.
fn plain(config: &mut ServiceConfig) {
    config
        .route("/anyone", web::get().to(anyone))
        .route("/optional", web::get().to(optional))
        .route("/user", web::get().to(user))
        .route("/admin", web::get().to(admin))
        .route("/support", web::get().to(support))
        .route("/either", web::get().to(either))
        .route("/scope", web::get().to(scope))
        .route("/service", web::get().to(service));
}

/// An answer, read to its end.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
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

    /// A refusal with nothing in it but what is said here.
    #[track_caller]
    fn assert_problem(&self, status: u16, code: &str, detail: &str, challenge: Option<&str>) {
        let title = StatusCode::from_u16(status).unwrap().canonical_reason();
        let problem =
            json!({"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code});
        assert_eq!((self.status, serde_json::from_slice::<Value>(&self.body).unwrap()), (status, problem));
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        assert_eq!(self.header("www-authenticate"), challenge);
        assert_eq!(self.header("retry-after"), (status == 503).then_some("1"));
    }

    #[track_caller]
    fn assert_no_token(&self) {
        let challenge = r#"Bearer realm="countersign""#;
        self.assert_problem(401, "no_token", "This needs an access token.", Some(challenge));
    }

    #[track_caller]
    fn assert_bad_token(&self, code: &str, detail: &str) {
        let challenge =
            format!(r#"Bearer realm="countersign", error="invalid_token", error_description="{detail}""#);
        self.assert_problem(401, code, detail, Some(&challenge));
    }

    #[track_caller]
    fn assert_invalid_token(&self) {
        self.assert_bad_token("invalid_token", "The access token is not valid.");
    }

    #[track_caller]
    fn assert_forbidden(&self, scope: Option<&str>) {
        let mut challenge =
            r#"Bearer realm="countersign", error="insufficient_scope", error_description="You may not do this.""#
                .to_owned();
        if let Some(scope) = scope {
            challenge.push_str(&format!(r#", scope="{scope}""#));
        }
        self.assert_problem(403, "forbidden", "You may not do this.", Some(&challenge));
    }
}

async fn call<B: MessageBody>(
    app: &impl Service<actix_http_request::Request, Response = ServiceResponse<B>, Error = actix_web::Error>,
    request: TestRequest,
) -> Answer {
    let response = call_service(app, request.to_request()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: read_body(response).await.to_vec() }
}

/// Where the test support of actix-web gets its request type from.
mod actix_http_request {
    pub type Request = actix_web::dev::ServiceRequest;
}

fn get(path: &str) -> TestRequest {
    TestRequest::get().uri(path)
}

fn get_as(path: &str, token: &str) -> TestRequest {
    get(path).insert_header(("authorization", format!("Bearer {token}")))
}
