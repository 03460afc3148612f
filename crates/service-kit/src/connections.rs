//! Accepts connections and runs HTTP/1.1 on them.
//!
//! It does what actix-web's `HttpServer` does, which leaves no room for a layer between the socket and the parser, and
//! which drops the error that a connection ends with.

mod refusal;
mod stream;
mod upgrade;

use std::net::TcpListener;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server as HttpServer, ServiceResponse};
use tokio::net::TcpStream;

use self::stream::ClientStream;
pub use self::stream::RefusalBodies;

/// How long the head of a connection's first request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept open. Balancers keep theirs for up to 60 seconds (nginx, AWS), and send a request
/// into a connection that is just being closed unless the service waits longer than they do.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the client may take to close after a response that ends the connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `app` until the returned server is stopped, which gives requests `grace_seconds` to finish.
pub(crate) fn serve<F, I, S, B>(
    listener: TcpListener,
    grace_seconds: u64,
    app: F,
) -> std::io::Result<HttpServer>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let builder = actix_server::Server::build()
        .shutdown_timeout(grace_seconds)
        .disable_signals();
    let draining = builder.graceful_shutdown_signal();
    let server = builder.listen("http", listener, move || {
        let draining = draining.clone();
        let app = app()
            .into_factory()
            .map_err(|error: Error| Response::from(error.error_response()));
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let draining = draining.clone();
                async move { draining.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .local_addr(address)
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(async |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            Ok((ClientStream::new(stream), Protocol::Http1, peer))
        })
        .and_then(http)
        .map_err(|error| log(&error))
    })?;
    Ok(server.run())
}

/// Logs why a connection ended early. Faults of the client or the network are not the operator's concern.
fn log(error: &DispatchError) {
    match error {
        DispatchError::Body(_) | DispatchError::InternalError | DispatchError::Service(_) => {
            tracing::error!(%error, "connection failed");
        }
        _ => tracing::debug!(%error, "connection ended early"),
    }
}
