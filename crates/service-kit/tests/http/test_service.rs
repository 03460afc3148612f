//! A small service with a route for each behaviour under test.

use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Json;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use auth::testing::Issuer;
use auth::{Anyone, CurrentUser, FieldError, HasScope, IsAdmin, IsService, Routes, VerifyToken};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use service_kit::{
    Body, Cursor, Form, Id, Limit, OptionalBody, Page, Problem, Query, RequestError, RequestId, Server, etag,
    problem,
};
use test_kit::{TestRuntime, TestService};
use utoipa::OpenApi;
use uuid::Uuid;

use crate::gate::{self, Gate};
use crate::neighbour_calls;
use crate::wire::Wire;

const NAME: &str = "thing-service";

/// Must not appear in any answer.
pub(crate) const SECRET: &str = "hunter2";

/// The version that every thing has.
pub(crate) const VERSION: i64 = 7;

auth::scopes! {
    /// May write things.
    WriteThings = "things:write";
}

/// The service, running.
pub(crate) struct Things {
    service: TestService,
    pub(crate) address: SocketAddr,
    pub(crate) gate: Gate,
    pub(crate) database_is_there: Arc<AtomicBool>,
}

impl Things {
    pub(crate) async fn spawn() -> Self {
        Self::spawn_as(|service| service).await
    }

    /// With a deadline of 300 ms.
    pub(crate) async fn spawn_with_short_deadline() -> Self {
        Self::spawn_as(|service| service.deadline(Duration::from_millis(300))).await
    }

    /// With this delay between the request to stop and the end of the listener.
    pub(crate) async fn spawn_with_shutdown_delay(delay: Duration) -> Self {
        Self::start(delay, |service| service).await
    }

    pub(crate) async fn spawn_as(change: impl FnOnce(Server) -> Server) -> Self {
        Self::start(Duration::ZERO, change).await
    }

    async fn start(shutdown_delay: Duration, change: impl FnOnce(Server) -> Server) -> Self {
        let issuer = Issuer::new(NAME);
        let verifier = issuer.verifier();
        let gate = Gate::closed();
        let database_is_there = Arc::new(AtomicBool::new(true));
        let (inner_gate, flag) = (gate.clone(), Arc::clone(&database_is_there));
        let mut address = None;
        let service = TestService::spawn(issuer, |TestRuntime { runtime, .. }| {
            address = runtime.listener.local_addr().ok();
            let service = Server::new(NAME, routes, Handlers::openapi())
                .verifier(verifier)
                .data(inner_gate)
                .ready_when("database", move || {
                    std::future::ready(flag.load(Ordering::SeqCst))
                });
            let service = change(service);
            let shutdown = runtime.shutdown.with_delay(shutdown_delay);
            async move { Ok(service.run(runtime.listener, shutdown).await?) }
        })
        .await;
        Self {
            service,
            address: address.expect("an address"),
            gate,
            database_is_there,
        }
    }

    /// A new connection.
    pub(crate) async fn connect(&self) -> Wire {
        Wire::to(self.address).await
    }

    /// Requests that the service stops.
    pub(crate) fn request_stop(&mut self) {
        self.service.request_stop();
    }

    /// Stops the service.
    pub(crate) async fn stop(self) {
        drop(self.service.stop().await);
    }
}

impl Deref for Things {
    type Target = TestService;

    fn deref(&self) -> &TestService {
        &self.service
    }
}

fn routes() -> Routes {
    Routes::new()
        .get("/things", list)
        .post("/things", create)
        .post("/things/maybe", create_optional)
        .post("/echo", echo)
        .post("/form", fill_in)
        .get("/things/{id}", show)
        .put("/things/{id}", change)
        .get("/counted/{id}", show)
        .get("/fails", fail)
        .get("/answers", answer)
        .get("/hangs", hang)
        .get("/panics", panic)
        .get("/waits", gate::wait)
        .get("/id", request_id)
        .get("/calls", neighbour_calls::call)
        .get("/received", neighbour_calls::receive)
        .get("/ids", find_by_id)
        .post("/ids", post_id)
        .get("/optional", optional)
        .get("/user", user)
        .get("/scope", scope)
        .get("/service", service)
        .get("/admin", admin)
        .post("/admin", administer)
        .get("/admin/hangs", hang_as_admin)
}

#[derive(OpenApi)]
#[openapi(paths(list, create, optional, user, scope, service, admin))]
struct Handlers;

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct NewThing {
    #[garde(length(chars, min = 1))]
    text: String,
}

#[derive(Debug, Deserialize, Validate)]
struct Listing {
    #[serde(default)]
    #[garde(skip)]
    limit: Limit,
    #[serde(default)]
    #[garde(skip)]
    cursor: Cursor,
    #[garde(length(chars, max = 5))]
    q: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct Thing {
    id: Uuid,
}

/// Things have the ids 1 to 250.
#[utoipa::path(get, path = "/things", summary = "Things", responses((status = 200), (status = 400)))]
async fn list(_: Anyone, Query(listing): Query<Listing>) -> Json<Page<Thing>> {
    let limit = usize::try_from(listing.limit.rows()).unwrap_or_default();
    let rows = (1..=250_u128)
        .rev()
        .map(Uuid::from_u128)
        .filter(|id| *id < listing.cursor.below());
    let searched = rows.filter(|_| listing.q.as_deref() != Some("none"));
    Json(Page::of(
        searched.take(limit).map(|id| Thing { id }).collect(),
        listing.limit,
        |thing| thing.id,
    ))
}

#[utoipa::path(post, path = "/things", summary = "Make a thing", responses((status = 201), (status = 422)))]
async fn create(_: Anyone, Body(thing): Body<NewThing>) -> HttpResponse {
    HttpResponse::Created().json(json!({"length": thing.text.len()}))
}

async fn echo(_: Anyone, Body(thing): Body<NewThing>) -> Json<Value> {
    Json(json!({"text": thing.text}))
}

async fn create_optional(_: Anyone, OptionalBody(thing): OptionalBody<NewThing>) -> Json<Value> {
    Json(json!({"length": thing.map(|thing| thing.text.len())}))
}

#[derive(Debug, Deserialize, Validate)]
#[serde(deny_unknown_fields)]
struct WithId {
    #[garde(skip)]
    id: Id,
}

async fn find_by_id(_: Anyone, Query(query): Query<WithId>) -> Json<Thing> {
    Json(Thing { id: query.id.into() })
}

async fn post_id(_: Anyone, Body(body): Body<WithId>) -> Json<Thing> {
    Json(Thing { id: body.id.into() })
}

#[derive(Debug, Deserialize)]
struct Filled {
    text: Option<String>,
}

async fn fill_in(_: Anyone, Form(filled): Form<Filled>) -> Json<Value> {
    Json(json!({"text": filled.text}))
}

async fn show(_: Anyone, id: Id, request: HttpRequest) -> Result<HttpResponse, ThingError> {
    if id.0.is_nil() {
        return Err(ThingError::NotFound);
    }
    Ok(etag::respond(
        &request,
        etag::of_version(VERSION),
        &Thing { id: id.0 },
    ))
}

async fn change(_: Anyone, id: Id, request: HttpRequest) -> Result<Json<Thing>, ThingError> {
    if !etag::allows_change(&request, &etag::of_version(VERSION))? {
        return Err(ThingError::Changed);
    }
    Ok(Json(Thing { id: id.0 }))
}

#[derive(Debug, Deserialize, Validate)]
struct How {
    #[garde(skip)]
    how: String,
}

async fn fail(_: Anyone, Query(How { how }): Query<How>) -> Result<HttpResponse, actix_web::Error> {
    Err(match how.as_str() {
        "not_found" => ThingError::NotFound.into(),
        "forbidden" => ThingError::Forbidden.into(),
        "changed" => ThingError::Changed.into(),
        "invalid" => ThingError::Invalid.into(),
        "unavailable" => ThingError::Unavailable.into(),
        "throttled" => ThingError::Throttled.into(),
        "internal" => ThingError::Internal(std::io::Error::other(SECRET)).into(),
        "framework" => actix_web::error::ErrorInternalServerError(SECRET),
        "framework_teapot" => actix_web::error::ErrorImATeapot(SECRET),
        _ => actix_web::error::ErrorBadRequest(SECRET),
    })
}

/// Answers that a handler builds itself.
async fn answer(_: Anyone, Query(How { how }): Query<How>) -> HttpResponse {
    match how.as_str() {
        // RFC 6749 §5.2
        "oauth" => HttpResponse::BadRequest().json(json!({"error": "invalid_grant"})),
        "text" => HttpResponse::InternalServerError().body(SECRET),
        "page" => HttpResponse::BadGateway()
            .insert_header((CONTENT_TYPE, "text/html"))
            .body(SECRET),
        "timeless" => HttpResponse::ServiceUnavailable()
            .insert_header(("retry-after", "9"))
            .finish(),
        "empty" => HttpResponse::NoContent().finish(),
        _ => HttpResponse::NotFound().finish(),
    }
}

async fn hang(_: Anyone) -> HttpResponse {
    std::future::pending().await
}

async fn hang_as_admin(_: IsAdmin) -> HttpResponse {
    std::future::pending().await
}

#[expect(clippy::panic, reason = "tests how the service handles a panic")]
async fn panic(_: Anyone) -> HttpResponse {
    panic!("{SECRET}, on purpose")
}

async fn request_id(_: Anyone, request: HttpRequest) -> Json<Value> {
    let id = request
        .extensions()
        .get::<RequestId>()
        .map(|id| id.as_str().to_owned());
    Json(json!({"id": id}))
}

#[utoipa::path(get, path = "/optional", summary = "Optional", responses((status = 200)))]
async fn optional(CurrentUser(user): CurrentUser) -> Json<Value> {
    Json(json!({"name": user.map(|user| user.name().to_owned())}))
}

#[utoipa::path(get, path = "/user", summary = "A user", responses((status = 200)))]
async fn user(VerifyToken(user): VerifyToken) -> Json<Value> {
    Json(json!({"name": user.name()}))
}

#[utoipa::path(get, path = "/scope", summary = "A scope", responses((status = 200), (status = 404)))]
async fn scope(_: HasScope<WriteThings>) -> Json<Value> {
    Json(json!({}))
}

#[utoipa::path(get, path = "/service", summary = "A service", responses((status = 200)))]
async fn service(_: IsService) -> Json<Value> {
    Json(json!({}))
}

#[utoipa::path(get, path = "/admin", summary = "An admin", responses((status = 200)))]
async fn admin(_: IsAdmin) -> Json<Value> {
    Json(json!({}))
}

async fn administer(_: IsAdmin, Body(thing): Body<NewThing>) -> Json<Value> {
    Json(json!({"length": thing.text.len()}))
}

#[derive(Debug, thiserror::Error)]
enum ThingError {
    #[error("There is no such thing.")]
    NotFound,
    #[error("This is not yours.")]
    Forbidden,
    #[error("It is another version.")]
    Changed,
    #[error("Two fields are wrong.")]
    Invalid,
    #[error("Not now.")]
    Unavailable,
    #[error("Too often.")]
    Throttled,
    #[error("The password {SECRET} does not work: {0}")]
    Internal(#[source] std::io::Error),
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl Problem for ThingError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "thing_not_found"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Changed => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_body"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Throttled => (StatusCode::TOO_MANY_REQUESTS, "throttled"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
            Self::Request(error) => error.parts(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        let field = |field: &str| FieldError {
            field: field.to_owned(),
            message: "is wrong".to_owned(),
        };
        match self {
            Self::Invalid => vec![field("text"), field("size")],
            _ => Vec::new(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Throttled => Some(60),
            Self::Unavailable => Some(1),
            _ => None,
        }
    }
}
problem!(ThingError);
