//! Calling another service as this one: [`ServiceClient`].

mod answer;
mod circuit;
mod client;
mod context;
mod request;
mod retry;
mod token;

pub use self::answer::{CallError, ServiceResponse};
pub use self::client::{ServiceClient, ServiceClientBuilder, ServiceClientError};
pub use self::context::TraceContext;
pub use self::request::ServiceRequest;
pub use self::token::{ServiceCredentials, TokenError};
