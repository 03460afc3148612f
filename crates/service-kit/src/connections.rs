//! Accepts connections and runs HTTP/1.1 on them.
//!
//! It does what actix-web's `HttpServer` does, which leaves no room for a layer between the socket and the parser, drops the
//! error that a connection ends with, and loses connections at shutdown.

mod idle;
mod refusal;
mod stream;
mod upgrade;
mod workers;

use std::net::SocketAddr;
use std::time::Duration;

use actix_http::{HttpService, Request, Response};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, map_config};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceResponse};

pub use self::stream::RefusalBodies;
use self::workers::Workers;
use crate::listener::Listener;
use crate::shutdown::Shutdown;

/// How long the head of a connection's first request may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept open. Balancers keep theirs for up to 60 seconds (nginx, AWS), and send a request
/// into a connection that is just being closed unless the service waits longer than they do.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long the client may take to close after a response that ends the connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves `app` until the listener closes, and then until all requests are answered, at most for the grace period.
pub(crate) async fn serve<F, I, S, B>(
    mut listener: Listener,
    address: SocketAddr,
    shutdown: Shutdown,
    grace: Duration,
    app: F,
) -> std::io::Result<()>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
    S::InitError: std::fmt::Debug,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let http = move || {
        let app = app()
            .into_factory()
            .map_err(|error: Error| Response::from(error.error_response()));
        HttpService::build()
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEAD_TIMEOUT)
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .local_addr(address)
            .finish(map_config(app, |()| AppConfig::default()))
    };
    let mut workers = Workers::start(&http, grace)?;
    while let Some(connection) = listener.accept().await {
        workers.serve(connection, shutdown.delay_over()).await?;
    }
    drop(listener);
    workers.finish().await;
    Ok(())
}
