//! The parts that all services share: configuration, logs and metrics, errors as problem details, health, API documentation,
//! paging, conditional requests, background tasks, shutdown. This crate owns no data and knows no service.

mod auth_metrics;
mod background;
mod client_address;
mod common_error;
mod config;
mod connections;
pub mod docs;
pub mod etag;
mod extract;
mod health;
mod host;
pub mod id;
mod launch;
mod limits;
mod listener;
mod middleware;
pub mod outgoing;
mod page;
mod probe;
mod problem;
mod request_id;
mod request_log;
mod request_metrics;
mod route_metrics;
mod runtime;
mod server;
mod shutdown;
mod telemetry;
pub mod text;
mod unread_body;

pub use self::client_address::{ClientAddress, InvalidProxies, TrustedProxies};
pub use self::common_error::CommonError;
pub use self::config::{
    AuthSettings, AuthStrategy, ConfigErrors, ConfigNotes, ConfigProblem, CookieNames, CookieSettings, Env,
    FeedSettings, IntrospectionClient, InvalidRateLimit, InvalidRegistry, KeySource, Neighbour, Neighbours,
    PublicRoute, RateLimit, RegisteredService, Registry, Role, Roles, Settings, TokenRule,
    UserAuthentication, VerifierError, WhenStale, read_nats_url,
};
pub use self::connections::RefusalBodies;
pub use self::extract::{
    Body, EmptyObject, Form, Id, InvalidId, MAX_BODY_BYTES, OptionalBody, Query, canonical_uuid, non_null,
    object_list,
};
pub use self::host::is_host;
pub use self::launch::{StandardInput, launch};
pub use self::listener::Listener;
pub use self::page::{Cursor, Limit, Page, Paging};
pub use self::problem::{Problem, RequestError};
pub use self::request_id::RequestId;
pub use self::route_metrics::{RouteMetrics, known_method};
pub use self::runtime::Runtime;
pub use self::server::{Server, common_routes};
pub use self::shutdown::Shutdown;
pub use self::telemetry::Telemetry;

/// The names that this crate's macros expand to.
#[doc(hidden)]
pub mod __private {
    pub use actix_web::http::StatusCode;
    pub use actix_web::{HttpResponse, ResponseError};
    pub use auth::AuthError;
    pub use sqlx::Error as SqlxError;

    pub use crate::problem::respond;
}
