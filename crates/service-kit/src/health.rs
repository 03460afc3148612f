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

type Check = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool>>> + Send + Sync>;

/// The readiness checks of a service, each with the name of what it requires.
#[derive(Clone, Default)]
pub(crate) struct Readiness(Vec<(&'static str, Check)>);

impl Readiness {
    pub(crate) fn add<F>(&mut self, name: &'static str, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = bool> + 'static,
    {
        self.0.push((name, Arc::new(move || Box::pin(check()))));
    }

    /// The names of the checks that fail.
    async fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        for (name, check) in &self.0 {
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
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// `GET /health/live`: 200 while the process runs.
pub(crate) async fn live(_: Anyone) -> impl Responder {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// `GET /health/ready`: 200, or 503 with the names of the failing checks.
pub(crate) async fn ready(_: Anyone, readiness: Data<Readiness>) -> impl Responder {
    let missing = readiness.missing().await;
    if missing.is_empty() {
        return HttpResponse::Ok().json(json!({"status": "ready"}));
    }
    ProblemDetails::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready")
        .detail(format!("Not ready: {}.", missing.join(", ")))
        .respond()
}
