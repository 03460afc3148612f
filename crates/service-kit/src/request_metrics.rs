//! Counts requests and measures how long they take, by route. Paths are never labels, so the number of series is bounded.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use actix_web::dev::ServiceRequest;
use actix_web::http::{Method, StatusCode};
use metrics::{Counter, Histogram};

/// The metrics of one worker thread. It keeps the handles of all series, because looking them up by their labels takes
/// several allocations.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    by_pattern: RefCell<HashMap<String, Rc<Route>>>,
    /// The routes whose pattern is their path, so that the framework need not be asked for it.
    by_path: RefCell<HashMap<String, Rc<Route>>>,
}

impl RequestMetrics {
    /// The route that a request takes. All requests that take none share one.
    pub(crate) fn route(&self, request: &ServiceRequest) -> Rc<Route> {
        if let Some(route) = self.by_path.borrow().get(request.path()) {
            return Rc::clone(route);
        }
        let pattern = request.match_pattern().unwrap_or_default();
        let mut by_pattern = self.by_pattern.borrow_mut();
        if let Some(route) = by_pattern.get(&pattern) {
            return Rc::clone(route);
        }
        let route = Rc::new(Route {
            pattern: pattern.clone(),
            series: RefCell::default(),
        });
        if pattern == request.path() {
            self.by_path
                .borrow_mut()
                .insert(pattern.clone(), Rc::clone(&route));
        }
        by_pattern.insert(pattern, Rc::clone(&route));
        route
    }
}

/// A route and its series.
pub(crate) struct Route {
    pattern: String,
    series: RefCell<Vec<Series>>,
}

/// The metrics of requests with one route, method and status.
struct Series {
    method: &'static str,
    status: StatusCode,
    count: Counter,
    seconds: Histogram,
}

impl Route {
    /// The pattern of the route's path, such as `/products/{id}`. Empty for requests that take no route.
    pub(crate) fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Records a request that was answered.
    pub(crate) fn record(&self, method: &'static str, status: StatusCode, duration: Duration) {
        let mut all = self.series.borrow_mut();
        if let Some(series) = all
            .iter()
            .find(|series| series.status == status && series.method == method)
        {
            series.record(duration);
        } else {
            let series = self.series(method, status);
            series.record(duration);
            all.push(series);
        }
    }

    fn series(&self, method: &'static str, status: StatusCode) -> Series {
        let route = if self.pattern.is_empty() {
            "none"
        } else {
            &self.pattern
        };
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.as_u16().to_string()),
        ];
        Series {
            method,
            status,
            count: metrics::counter!("http_requests_total", &labels),
            seconds: metrics::histogram!("http_request_duration_seconds", &labels),
        }
    }
}

impl Series {
    fn record(&self, duration: Duration) {
        self.count.increment(1);
        self.seconds.record(duration.as_secs_f64());
    }
}

/// The method's name, or `other` for a method that is not one of the usual ones.
pub(crate) fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}
