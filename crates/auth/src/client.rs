//! Calls to other services, here called neighbours, with a service token, retries and a circuit breaker. [`ServiceClient`] is the
//! entry point.

mod circuit;
mod client_builder;
mod client_state;
mod request;
mod response;
mod retry_budget;
mod service_client;
mod service_token;
mod token_endpoint;
mod trace;

pub use self::circuit::Circuit;
pub use self::client_builder::{ServiceClientBuilder, ServiceClientError, parse_origin};
pub use self::request::ServiceRequest;
pub use self::response::{CallError, ServiceResponse};
pub use self::service_client::ServiceClient;
pub use self::token_endpoint::{ServiceCredentials, TokenError};
pub use self::trace::{TraceContext, is_trace_parent};
