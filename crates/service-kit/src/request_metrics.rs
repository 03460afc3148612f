//! The metrics of the routes of one worker thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use actix_web::dev::ServiceRequest;

use crate::route_metrics::RouteMetrics;

/// The routes of one worker thread, with their metrics.
#[derive(Default)]
pub(crate) struct RequestMetrics {
    by_pattern: RefCell<HashMap<String, Rc<RouteMetrics>>>,
    /// The routes whose pattern is their path, so that the framework need not be asked for it.
    by_path: RefCell<HashMap<String, Rc<RouteMetrics>>>,
}

impl RequestMetrics {
    /// The route that a request takes. All requests that take none share one.
    pub(crate) fn route(&self, request: &ServiceRequest) -> Rc<RouteMetrics> {
        if let Some(route) = self.by_path.borrow().get(request.path()) {
            return Rc::clone(route);
        }
        let pattern = request.match_pattern().unwrap_or_default();
        let mut by_pattern = self.by_pattern.borrow_mut();
        if let Some(route) = by_pattern.get(&pattern) {
            return Rc::clone(route);
        }
        let route = Rc::new(RouteMetrics::new(pattern.clone()));
        if pattern == request.path() {
            self.by_path
                .borrow_mut()
                .insert(pattern.clone(), Rc::clone(&route));
        }
        by_pattern.insert(pattern, Rc::clone(&route));
        route
    }
}
