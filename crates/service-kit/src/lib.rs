//! What every service does alike, so that a service's own code is about what it owns: configuration, the log, one shape for
//! refusals, health, metrics, documentation, paging, conditional requests, shutdown. It owns no data and knows no service.

mod client_address;
mod config;
mod connections;
pub mod docs;
pub mod etag;
mod extract;
mod health;
mod healthy;
mod host;
pub mod id;
mod launch;
mod middleware;
mod page;
mod problem;
mod request_id;
mod request_metrics;
mod service;
mod shutdown;
mod telemetry;
pub mod text;
mod unread_body;

pub use self::client_address::{ClientAddress, InvalidProxies, TrustedProxies};
pub use self::config::{
    AuthSettings, ConfigErrors, ConfigProblem, Env, KeySource, Neighbour, Neighbours, Register,
    RegisteredService, Role, Roles, Settings,
};
pub use self::extract::{
    Body, EmptyObject, Form, Id, InvalidId, MAX_BODY_BYTES, OptionalBody, Query, canonical_uuid, non_null,
    object_list,
};
pub use self::launch::{StandardInput, launch};
pub use self::page::{Cursor, Limit, Page};
pub use self::problem::{Problem, RequestError};
pub use self::request_id::RequestId;
pub use self::service::{Runtime, Server, common_routes};
pub use self::shutdown::Shutdown;
pub use self::telemetry::Telemetry;

/// What the macros of this crate expand to.
#[doc(hidden)]
pub mod __private {
    pub use actix_web::http::StatusCode;
    pub use actix_web::{HttpResponse, ResponseError};

    pub use crate::problem::answer;
}
