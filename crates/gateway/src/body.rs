//! The bodies of requests and responses. Both are streamed: the gateway never holds a whole body.

mod request;
mod response;

pub(crate) use self::request::{RequestBody, Upload};
pub(crate) use self::response::{BodyEnd, Driver, ResponseBody, UpstreamBody};

/// Why a body ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the client's body is longer than the route allows")]
    TooLong,
    #[error("the client sent no part of its body in time")]
    ClientTimeout,
    #[error("the service did not complete its body in time")]
    UpstreamTimeout,
    #[error(transparent)]
    Http(#[from] hyper::Error),
}
