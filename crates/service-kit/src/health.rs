//! Liveness and readiness: whether the process runs, and whether it can answer requests.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use auth::{Anyone, ProblemDetails};
use serde_json::json;

use crate::shutdown::Shutdown;

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool>>> + Send + Sync>;

/// The readiness checks of a service, each with the name of what it requires.
#[derive(Clone, Default)]
pub(crate) struct Readiness {
    checks: Vec<(&'static str, Check)>,
    shutdown: Shutdown,
}

impl Readiness {
    pub(crate) fn add<F>(&mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = bool> + 'static,
    {
        self.checks.push((name, Arc::new(move || Box::pin(check()))));
    }

    /// Makes the service not ready as soon as this shutdown is requested.
    pub(crate) fn fail_during(&mut self, shutdown: Shutdown) {
        self.shutdown = shutdown;
    }

    /// The names of the checks that fail.
    async fn missing(&self) -> Vec<&'static str> {
        if self.shutdown.is_draining() {
            return vec!["shutting down"];
        }
        let mut missing = Vec::new();
        for (name, check) in &self.checks {
            if !check().await {
                missing.push(*name);
            }
        }
        missing
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.checks.iter().map(|(name, _)| name))
            .finish()
    }
}

/// `GET /health/live`: 200 while the process runs.
pub(crate) async fn live(_: Anyone) -> impl Responder {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// `GET /health/ready`: 200, or 503 with the names of the failing checks. 503 also from the request to stop on.
pub(crate) async fn ready(_: Anyone, readiness: Data<Readiness>) -> impl Responder {
    let missing = readiness.missing().await;
    if missing.is_empty() {
        return HttpResponse::Ok().json(json!({"status": "ready"}));
    }
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready")
        .detail(format!("Not ready: {}.", missing.join(", ")))
        .respond()
}
