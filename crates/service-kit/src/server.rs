//! A service's server: the layers around its routes, the routes that every service has, its background tasks, and its shutdown.

use std::fmt;
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, Responder};
use auth::{Anyone, Routes, Verifier};
use db::Db;
use futures_util::future::LocalBoxFuture;
use serde_json::Value;
use tokio::task::JoinSet;
use tracing_actix_web::TracingLogger;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::background::{TaskHealth, supervise};
use crate::health::{self, Readiness};
use crate::listener::Listener;
use crate::middleware::Middleware;
use crate::request_log::RequestSpan;
use crate::shutdown::Shutdown;
use crate::{auth_metrics, connections, docs, limits, telemetry};

/// The default of [`Server::deadline`].
const DEADLINE: Duration = Duration::from_secs(30);
/// How often recorded samples are aggregated into the metrics.
const METRICS_UPKEEP_INTERVAL: Duration = Duration::from_secs(5);
/// How long a client may leave a response unread.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT_MILLIS: u32 = 30_000;
/// How long requests in flight may take after the listener has closed.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

type Configure = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// A service: its routes, the data of its handlers, its readiness checks and its background tasks.
pub struct Server {
    name: &'static str,
    routes: fn() -> Routes,
    handlers: OpenApi,
    data: Vec<Configure>,
    readiness: Readiness,
    tasks: Vec<LocalBoxFuture<'static, ()>>,
    deadline: Duration,
}

impl Server {
    /// A service with these routes, which `handlers` documents.
    #[must_use]
    pub fn new(name: &'static str, routes: fn() -> Routes, handlers: OpenApi) -> Self {
        Self {
            name,
            routes,
            handlers,
            data: Vec::new(),
            readiness: Readiness::default(),
            tasks: Vec::new(),
            deadline: DEADLINE,
        }
    }

    /// How long a handler may take before its request is answered with 503, including the time in which the request's body
    /// arrives. Defaults to 30 seconds.
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

    /// Verifies tokens with this verifier. The service is not ready until the verifier has its keys and the first revocations.
    #[must_use]
    pub fn verifier(self, verifier: Verifier) -> Self {
        let (keys, gateway_keys, revocations) = (verifier.clone(), verifier.clone(), verifier.clone());
        self.data(verifier)
            .ready_when("signing keys", move || std::future::ready(keys.has_keys()))
            .ready_when("gateway keys", move || {
                std::future::ready(gateway_keys.has_gateway_keys())
            })
            .ready_when("revocations", move || {
                std::future::ready(revocations.has_revocations())
            })
    }

    /// Lets handlers take `Data<Db>`. The service is not ready while the database does not answer.
    #[must_use]
    pub fn database(self, db: Db) -> Self {
        let database = db.clone();
        self.data(db)
            .ready_when("database", move || database.clone().is_reachable())
    }

    /// Adds a readiness check. While it fails, the service reports `name` as missing.
    #[must_use]
    pub fn ready_when<F>(mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + 'static,
    {
        self.readiness.add(name, check);
        self
    }

    /// Adds a background task, which runs until the last request is answered at shutdown, and is then dropped at an `await`.
    ///
    /// The task should never return. When it returns or panics, that is logged as an error, and `task` is called again after
    /// a delay that grows with consecutive failures from 0.2 to 30 seconds. From the third consecutive failure the service is
    /// not ready, until the task has run for 10 seconds.
    ///
    /// ```no_run
    /// # use service_kit::Server;
    /// # async fn delete_expired() {}
    /// # fn add(server: Server) -> Server {
    /// server.background("cleanup", || async {
    ///     loop {
    ///         delete_expired().await;
    ///         tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    ///     }
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn background<F>(mut self, name: &'static str, task: impl Fn() -> F + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let health = TaskHealth::new();
        self.tasks.push(Box::pin(supervise(name, task, health.clone())));
        self.ready_when(name, move || std::future::ready(health.is_good()))
    }

    /// Serves requests until shutdown is requested. Then the service is not ready and closes connections after their next
    /// response, but goes on accepting connections until the delay of the shutdown is over and no more are waiting. After that,
    /// requests in flight have 10 seconds to end.
    ///
    /// # Errors
    /// When the listener can't be used, or a thread can't be started.
    pub async fn run(mut self, listener: TcpListener, shutdown: Shutdown) -> std::io::Result<()> {
        // Programs have installed the recorder already, tests have not.
        telemetry::recorder();
        let document = Data::new(docs::document(self.name, &self.handlers, &(self.routes)()));
        self.readiness.fail_during(shutdown.clone());
        let readiness = Data::new(self.readiness);
        let (name, data, routes, deadline) = (self.name, self.data, self.routes, self.deadline);
        let address = listener.local_addr()?;
        // Close the connection of a client that stops reading. Accepted connections inherit the option.
        #[cfg(target_os = "linux")]
        rustix::net::sockopt::set_tcp_user_timeout(&listener, UNREAD_TIMEOUT_MILLIS)?;

        let middleware = Middleware {
            service_name: name,
            shutdown: shutdown.clone(),
        };
        let app = move || {
            App::new()
                .app_data(document.clone())
                .app_data(readiness.clone())
                .configure(|config| data.iter().for_each(|add| add(config)))
                .configure(|config| routes().merge(common_routes()).configure(config))
                .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")))
                // The layer that is added last sees a request first.
                .wrap(from_fn(move |request, next| {
                    limits::apply(deadline, request, next)
                }))
                .wrap(TracingLogger::<RequestSpan>::new())
                .wrap(middleware.clone())
        };

        // Dropped with this future too, so that no task outlives its service.
        let mut tasks = JoinSet::new();
        for task in self.tasks {
            tasks.spawn_local(task);
        }
        tasks.spawn_local(supervise("metrics", aggregate_metrics, TaskHealth::new()));
        let requested = shutdown.clone();
        tasks.spawn_local(async move {
            requested.await;
            tracing::info!("stopping");
        });
        shutdown.serving();
        let listener = Listener::new(listener, shutdown.clone())?;

        tracing::info!(service.name = name, %address, "listening");
        let outcome = connections::serve(listener, address, shutdown, SHUTDOWN_GRACE, app).await;
        tasks.shutdown().await;
        outcome
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

async fn metrics(_: Anyone, verifier: Option<Data<Verifier>>) -> impl Responder {
    if let Some(verifier) = verifier {
        auth_metrics::record(&verifier.statistics());
    }
    let text = telemetry::metrics_text();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(text)
}

/// Samples pile up until they are aggregated, and a scrape of `/metrics` may never come.
async fn aggregate_metrics() {
    let recorder = telemetry::recorder();
    loop {
        tokio::time::sleep(METRICS_UPKEEP_INTERVAL).await;
        recorder.run_upkeep();
    }
}

async fn openapi(_: Anyone, document: Data<Value>) -> impl Responder {
    web::Json(document.get_ref().clone())
}

/// The page refers to its parts by relative paths, which require the trailing slash.
async fn docs_page(_: Anyone) -> impl Responder {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}
