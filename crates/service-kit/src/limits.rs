//! The innermost middleware: a handler that panics or exceeds the deadline becomes an error, which is logged and counted like
//! any other.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use futures_util::FutureExt as _;

use crate::host;
use crate::problem::Problem;

/// Runs the handler of a request whose `Host` is valid, for at most `deadline`, the arrival of the body included.
pub(crate) async fn apply<B: MessageBody + 'static>(
    deadline: Duration,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    host::check(request.head())?;

    let handler = tokio::time::timeout(deadline, next.call(request));
    match AssertUnwindSafe(handler).catch_unwind().await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(HandlerFailure::TimedOut.into()),
        Err(_) => Err(HandlerFailure::Panicked.into()),
    }
}

/// Why a handler produced no response.
#[derive(Debug, thiserror::Error)]
enum HandlerFailure {
    #[error("The request took too long.")]
    TimedOut,
    #[error("The handler panicked.")]
    Panicked,
}

impl Problem for HandlerFailure {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::TimedOut => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            Self::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}
crate::problem!(HandlerFailure);
