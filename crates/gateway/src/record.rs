//! Counts requests, measures how long they take, and logs them. Paths are neither labels nor logged: they are chosen by clients, and
//! may contain personal data. The prefix of the route stands for them, and the request id leads to the service's own log.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use http::{HeaderValue, StatusCode};
use service_kit::RouteMetrics;
use uuid::Uuid;

/// The metrics of the routes of one worker thread.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    routes: RefCell<Vec<Rc<RouteMetrics>>>,
}

impl RequestMetrics {
    /// The metrics of the route with this prefix. Requests without a route have an empty one.
    pub(crate) fn of(&self, prefix: &str) -> Rc<RouteMetrics> {
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
    pub started: Instant,
    pub request_id: HeaderValue,
    pub metrics: Rc<RouteMetrics>,
    pub method: &'static str,
    pub user: Option<Uuid>,
    pub status: StatusCode,
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        self.metrics.record(self.method, self.status.as_u16(), duration);
        tracing::info!(
            request_id = self.request_id.to_str().unwrap_or_default(),
            http.method = self.method,
            http.route = self.metrics.route(),
            http.status_code = self.status.as_u16(),
            user.id = self.user.map(tracing::field::display),
            duration_ms = duration.as_secs_f64() * 1_000.0,
            "answered"
        );
    }
}
