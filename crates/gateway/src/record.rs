//! Counts requests, measures how long they take, and logs them. Paths are neither labels nor logged: they are chosen by clients,
//! and may contain personal data. The prefix of the route stands for them, and the request id leads to the service's own log.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use http::{HeaderValue, Method, StatusCode};
use metrics::{Counter, Histogram};
use uuid::Uuid;

/// The metrics of one worker thread. It keeps the handles of all series, because looking them up by their labels takes several
/// allocations.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    series: RefCell<Vec<Rc<Series>>>,
}

/// The metrics of requests with one route, method and status.
struct Series {
    route: String,
    method: &'static str,
    status: StatusCode,
    count: Counter,
    seconds: Histogram,
}

impl RequestMetrics {
    fn series(&self, route: &str, method: &'static str, status: StatusCode) -> Rc<Series> {
        let mut all = self.series.borrow_mut();
        let is_wanted = |series: &&Rc<Series>| {
            series.status == status && series.method == method && series.route == route
        };
        if let Some(series) = all.iter().find(is_wanted) {
            return Rc::clone(series);
        }
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.as_u16().to_string()),
        ];
        let series = Rc::new(Series {
            route: route.to_owned(),
            method,
            status,
            count: metrics::counter!("http_requests_total", &labels),
            seconds: metrics::histogram!("http_request_duration_seconds", &labels),
        });
        all.push(Rc::clone(&series));
        series
    }
}

/// One request. It is counted and logged when this is dropped, which is when its response is complete or abandoned.
pub(crate) struct Record {
    pub started: Instant,
    pub request_id: HeaderValue,
    pub metrics: Rc<RequestMetrics>,
    pub method: &'static str,
    /// The prefix of the route, or `none`.
    pub route: String,
    pub user: Option<Uuid>,
    pub status: StatusCode,
}

impl Drop for Record {
    fn drop(&mut self) {
        let duration = self.started.elapsed();
        let series = self.metrics.series(&self.route, self.method, self.status);
        series.count.increment(1);
        series.seconds.record(duration.as_secs_f64());
        tracing::info!(
            request_id = self.request_id.to_str().unwrap_or_default(),
            http.method = self.method,
            http.route = self.route,
            http.status_code = self.status.as_u16(),
            user.id = self.user.map(tracing::field::display),
            duration_ms = duration.as_secs_f64() * 1_000.0,
            "answered"
        );
    }
}

/// The method's name, or `other` for a method that the gateway does not forward.
pub(crate) fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}
