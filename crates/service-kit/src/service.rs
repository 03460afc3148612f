//! A service, put together and run: the layers around its routes, the routes that every service has, and how it stops.

use std::fmt;
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, Responder};
use auth::{Anyone, Clock, Revocations, Routes, Verifier};
use serde_json::Value;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::health::{self, Readiness};
use crate::middleware::Middleware;
use crate::shutdown::Shutdown;
use crate::{connections, docs, telemetry};

/// A handler has this long to answer, its body's arrival included, unless the service says otherwise.
const DEADLINE: Duration = Duration::from_secs(30);
/// How often what was measured is folded into what /metrics shows.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
/// An answer may wait for this long to be read.
#[cfg(target_os = "linux")]
const UNREAD_FOR_MILLIS: u32 = 30_000;
/// What is under way has this long to end, in seconds.
const GRACE_SECONDS: u64 = 10;

/// What a service is given by whoever runs it.
#[derive(Debug)]
pub struct Runtime {
    /// Where to accept connections.
    pub listener: TcpListener,
    /// When to stop.
    pub shutdown: Shutdown,
    /// The time.
    pub clock: Clock,
    /// What was taken back.
    pub revocations: Revocations,
}

type Configure = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// A service in the making.
pub struct Server {
    name: &'static str,
    routes: fn() -> Routes,
    handlers: OpenApi,
    data: Vec<Configure>,
    readiness: Readiness,
    deadline: Duration,
}

impl Server {
    /// Begins a service with these routes, which `handlers` describes.
    #[must_use]
    pub fn new(name: &'static str, routes: fn() -> Routes, handlers: OpenApi) -> Self {
        Self {
            name,
            routes,
            handlers,
            data: Vec::new(),
            readiness: Readiness::default(),
            deadline: DEADLINE,
        }
    }

    /// Answers 503 for a handler that takes longer than this, its body's arrival included. It is 30 seconds where nothing else
    /// is said.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Lets handlers take `Data<T>`.
    #[must_use]
    pub fn data<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        let data = Data::new(value);
        self.data.push(Arc::new(move |config| {
            config.app_data(data.clone());
        }));
        self
    }

    /// Verifies tokens with this, and is not ready before it has keys.
    #[must_use]
    pub fn verifier(self, verifier: Verifier) -> Self {
        let keys = verifier.clone();
        self.data(verifier)
            .ready_when("signing keys", move || std::future::ready(keys.has_keys()))
    }

    /// Is not ready unless this holds.
    #[must_use]
    pub fn ready_when<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + 'static,
    {
        self.readiness.add(name, check);
        self
    }

    /// Serves until told to stop, then lets what is under way end.
    pub async fn run(self, listener: TcpListener, shutdown: Shutdown) -> std::io::Result<()> {
        telemetry::recorder();
        let document = Data::new(docs::document(self.name, &self.handlers, &(self.routes)()));
        let readiness = Data::new(self.readiness);
        let (name, data, routes, deadline) = (self.name, self.data, self.routes, self.deadline);
        let address = listener.local_addr()?;
        // Whoever stops reading an answer is cut off. Connections inherit it from where they were accepted.
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_user_timeout(&listener, UNREAD_FOR_MILLIS)?;
        let middleware = Middleware {
            service_name: name,
            deadline,
        };
        let server = connections::serve(listener, GRACE_SECONDS, move || {
            App::new()
                .app_data(document.clone())
                .app_data(readiness.clone())
                .configure(|config| data.iter().for_each(|add| add(config)))
                .configure(|config| routes().and(common_routes()).configure(config))
                .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")))
                .wrap(middleware)
        })?;
        let handle = server.handle();
        // Samples are kept until somebody folds them, and nobody may ever read /metrics.
        let upkeep = tokio::spawn(async {
            loop {
                tokio::time::sleep(UPKEEP_EVERY).await;
                telemetry::recorder().run_upkeep();
            }
        });
        tokio::spawn(async move {
            shutdown.await;
            tracing::info!("stopping");
            handle.stop(true).await;
        });
        tracing::info!(service.name = name, %address, "listening");
        let ended = server.await;
        upkeep.abort();
        ended
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("name", &self.name)
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}

/// The routes that every service has besides its own.
#[must_use]
pub fn common_routes() -> Routes {
    Routes::new()
        .get("/health/live", health::live)
        .get("/health/ready", health::ready)
        .get("/metrics", metrics)
        .get("/openapi.json", openapi)
        .get("/docs", docs_page)
}

async fn metrics(_: Anyone) -> impl Responder {
    let text = telemetry::metrics_text();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text)
}

async fn openapi(_: Anyone, document: Data<Value>) -> impl Responder {
    web::Json(document.get_ref().clone())
}

/// The page refers to its parts by relative paths, which need the slash at the end.
async fn docs_page(_: Anyone) -> impl Responder {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}
