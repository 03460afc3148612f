//! Counts requests, measures how long they take, and logs them. Paths are neither labels nor logged: they are chosen by clients, and
//! may contain personal data. The prefix of the route stands for them, and the request id leads to the service's own log.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderValue, StatusCode};
use service_kit::RouteMetrics;
use uuid::Uuid;

use crate::table::Route;

/// The metrics of the routes of one worker thread.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    routes: RefCell<Vec<Rc<RouteMetrics>>>,
}

impl RequestMetrics {
    /// The metrics of the route with this prefix. Requests without a route have an empty one.
    fn of(&self, prefix: &str) -> Rc<RouteMetrics> {
        let mut routes = self.routes.borrow_mut();
        if let Some(route) = routes.iter().find(|route| route.route() == prefix) {
            return Rc::clone(route);
        }
        let route = Rc::new(RouteMetrics::new(prefix.to_owned()));
        routes.push(Rc::clone(&route));
        route
    }
}

/// One request. It is counted and logged when this is dropped, which is when its response is complete or abandoned.
pub(crate) struct Record {
    started: Instant,
    metrics: Rc<RequestMetrics>,
    pub request_id: HeaderValue,
    method: &'static str,
    pub route: Option<Arc<Route>>,
    pub user: Option<Uuid>,
    pub status: StatusCode,
    /// Whether the response removes the access cookie.
    pub removes_access_cookie: bool,
    /// Whether a failure removes the cookies of the session.
    pub is_logout: bool,
}

impl Record {
    /// A request that begins now. Until its status is known, it is 499: the client closed the connection before the response.
    pub(crate) fn new(metrics: Rc<RequestMetrics>, request_id: HeaderValue, method: &'static str) -> Self {
        Self {
            started: Instant::now(),
            metrics,
            request_id,
            method,
            route: None,
            user: None,
            status: StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            removes_access_cookie: false,
            is_logout: false,
        }
    }

    pub(crate) fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let prefix = self
            .route
            .as_ref()
            .map_or("", |route| route.rules.prefix.as_str());
        let metrics = self.metrics.of(prefix);
        metrics.record(self.method, self.status.as_u16(), duration);
        tracing::info!(
            request_id = self.request_id(),
            http.method = self.method,
            http.route = if prefix.is_empty() { "none" } else { prefix },
            http.status_code = self.status.as_u16(),
            user.id = self.user.map(tracing::field::display),
            duration_ms = duration.as_secs_f64() * 1_000.0,
            "answered"
        );
    }
}
