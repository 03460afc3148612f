//! Counts requests and measures how long they take, by route. Paths are never labels, so the number of series is bounded.

use std::cell::RefCell;
use std::time::Duration;

use metrics::{Counter, Histogram};

/// The metrics of one route in one thread. It keeps the handles of all series, because looking them up by their labels takes
/// several allocations.
#[derive(Default)]
pub struct RouteMetrics {
    route: String,
    series: RefCell<Vec<Series>>,
}

/// The metrics of requests with one route, method and status.
struct Series {
    method: &'static str,
    status: u16,
    count: Counter,
    seconds: Histogram,
}

impl RouteMetrics {
    /// The metrics of a route, such as `/products/{id}`. An empty text stands for requests that take no route.
    #[must_use]
    pub fn new(route: String) -> Self {
        Self {
            route,
            series: RefCell::default(),
        }
    }

    /// The route, as in [`new`](Self::new).
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Records a request that was answered.
    pub fn record(&self, method: &'static str, status: u16, duration: Duration) {
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

    fn series(&self, method: &'static str, status: u16) -> Series {
        let route = if self.route.is_empty() {
            "none"
        } else {
            &self.route
        };
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
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
#[must_use]
pub fn known_method(method: &str) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    known
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or("other")
}
