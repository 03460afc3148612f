//! The public routes, from the registry: which service a path belongs to, and the rules for it. The roles are read together with
//! them.

use std::net::IpAddr;
use std::sync::Arc;

use service_kit::{Env, PublicRoute, RateLimit, Registry, Roles, Settings, TokenRule};

use crate::rate_limits::{RateKey, RateLimits};
use crate::refusal::Refusal;
use crate::upstream::Upstream;

/// The gateway's public routes, and the roles.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub roles: Roles,
    /// The longest prefix first, so that the first match is the best.
    routes: Vec<Arc<Route>>,
    /// The limit of routes that name none.
    default_limits: Option<Arc<RateLimits>>,
}

/// A public route and the service behind it.
#[derive(Debug)]
pub(crate) struct Route {
    pub rules: PublicRoute,
    pub upstream: Arc<Upstream>,
    limits: Option<Arc<RateLimits>>,
}

impl Table {
    /// Reads the routes of the registry, the URL of each service with routes, and `RATE_LIMIT`. Reports problems to `env`.
    ///
    /// A service that `previous` has at the same URL keeps its connections and its circuit. A limit that did not change keeps its
    /// counts.
    pub(crate) fn read(env: &mut Env, settings: &Settings, previous: &Self) -> Self {
        let default_limit = env.parse("RATE_LIMIT", RateLimit::DEFAULT, RateLimit::FORM);
        let mut upstreams = Vec::new();
        for service in settings
            .registry
            .iter()
            .filter(|service| !service.routes.is_empty())
        {
            let url = settings.service_url(env, service);
            let is_known = |known: &&Arc<Upstream>| known.name == service.name && known.url == url;
            if let Some(known) = previous.upstreams().into_iter().find(is_known) {
                upstreams.push(Arc::clone(known));
            } else if let Some(upstream) = Upstream::new(&service.name, &url) {
                upstreams.push(Arc::new(upstream));
            } else {
                let variable = format!("{}_URL", service.variable_prefix());
                env.problem(
                    &variable,
                    "must be an http origin: the gateway calls services without TLS",
                );
            }
        }
        Self {
            roles: settings.roles.clone(),
            ..Self::new(&settings.registry, &upstreams, default_limit, previous)
        }
    }

    /// The routes of the services that are in `upstreams`.
    fn new(
        registry: &Registry,
        upstreams: &[Arc<Upstream>],
        default_limit: RateLimit,
        previous: &Self,
    ) -> Self {
        let default_limits = RateLimits::keep_or_new(previous.default_limits.as_ref(), default_limit);
        let mut routes = Vec::new();
        for service in registry.iter() {
            let Some(upstream) = upstreams.iter().find(|upstream| upstream.name == service.name) else {
                continue;
            };
            for rules in &service.routes {
                let limits = match rules.rate_limit {
                    None => default_limits.clone(),
                    Some(limit) => RateLimits::keep_or_new(previous.limits_of(&rules.prefix), limit),
                };
                routes.push(Arc::new(Route {
                    rules: rules.clone(),
                    upstream: Arc::clone(upstream),
                    limits,
                }));
            }
        }
        routes.sort_by_key(|route| std::cmp::Reverse(route.rules.prefix.len()));
        Self {
            roles: Roles::default(),
            routes,
            default_limits,
        }
    }

    /// The counts of the route with this prefix, if it has its own limit.
    fn limits_of(&self, prefix: &str) -> Option<&Arc<RateLimits>> {
        let mut own = self.routes_with_limit();
        own.find(|route| route.rules.prefix == prefix)?.limits.as_ref()
    }

    /// The routes that name a limit.
    fn routes_with_limit(&self) -> impl Iterator<Item = &Arc<Route>> {
        let routes = self.routes.iter();
        routes.filter(|route| route.rules.rate_limit.is_some())
    }

    /// The route of a path in normal form.
    pub(crate) fn find(&self, path: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.rest_of(path).is_some())
    }

    /// Counts a request of this address that has no route.
    pub(crate) fn check_rate_without_route(&self, address: IpAddr) -> Result<(), Refusal> {
        match &self.default_limits {
            Some(limits) => limits.check(RateKey::of_address(address)),
            None => Ok(()),
        }
    }

    /// The services with routes.
    pub(crate) fn upstreams(&self) -> Vec<&Arc<Upstream>> {
        let mut upstreams: Vec<&Arc<Upstream>> = Vec::new();
        for route in &self.routes {
            if !upstreams.iter().any(|known| known.name == route.upstream.name) {
                upstreams.push(&route.upstream);
            }
        }
        upstreams
    }

    /// The client's path for a path of this service, if a route leads there: `/api/products/1` for `/products/1`.
    pub(crate) fn public_path(&self, service: &str, path: &str) -> Option<String> {
        let mut routes = self.routes.iter().filter(|route| route.upstream.name == service);
        routes.find_map(|route| {
            let rest = rest(path, &route.rules.upstream_prefix)?;
            Some(format!("{}{rest}", route.rules.prefix))
        })
    }

    /// Whether the gateway requires a user's token at this path.
    pub(crate) fn requires_token(&self, path: &str) -> bool {
        let route = self.find(path);
        route.is_some_and(|route| route.rules.token == TokenRule::Required)
    }

    /// Forgets clients that sent nothing for long.
    pub(crate) fn cleanup_limits(&self) {
        let limits = self.routes_with_limit().filter_map(|route| route.limits.as_ref());
        for limits in limits.chain(&self.default_limits) {
            limits.cleanup();
        }
    }
}

impl Route {
    /// The part of this path behind the prefix. `None` if the path does not have the prefix.
    fn rest_of<'p>(&self, path: &'p str) -> Option<&'p str> {
        rest(path, &self.rules.prefix)
    }

    /// The service's own path for a client's path.
    pub(crate) fn upstream_path(&self, path: &str) -> String {
        format!(
            "{}{}",
            self.rules.upstream_prefix,
            self.rest_of(path).unwrap_or_default()
        )
    }

    /// Counts a request of this user or, without a user, of this address.
    pub(crate) fn check_rate(&self, user: Option<uuid::Uuid>, address: IpAddr) -> Result<(), Refusal> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        limits.check(user.map_or_else(|| RateKey::of_address(address), RateKey::User))
    }
}

/// The part of a path behind a prefix of whole segments.
fn rest<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let registry = Registry::built_in();
        let upstreams: Vec<_> = registry
            .iter()
            .filter_map(|service| Upstream::new(&service.name, "http://127.0.0.1:1").map(Arc::new))
            .collect();
        Table::new(&registry, &upstreams, RateLimit::DEFAULT, &Table::default())
    }

    #[test]
    fn a_path_belongs_to_the_service_with_its_prefix() {
        let table = table();
        for (path, service, upstream_path) in [
            ("/auth/login", "user-service", "/auth/login"),
            ("/.well-known/jwks.json", "user-service", "/.well-known/jwks.json"),
            ("/api/users/me", "user-service", "/users/me"),
            ("/api/admin/users", "user-service", "/admin/users"),
            ("/api/products", "product-service", "/products"),
            ("/api/products/", "product-service", "/products/"),
            ("/api/products/1", "product-service", "/products/1"),
            ("/api/orders/1/cancel", "order-service", "/orders/1/cancel"),
            ("/api/inventory/1", "inventory-service", "/inventory/1"),
        ] {
            let route = table.find(path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(route.upstream.name, service, "{path}");
            assert_eq!(route.upstream_path(path), upstream_path);
            assert_eq!(table.public_path(service, upstream_path).as_deref(), Some(path));
        }
    }

    #[test]
    fn other_paths_are_not_public() {
        let table = table();
        for path in [
            "/",
            "/api",
            "/api/",
            "/api/products2",
            "/API/products",
            "/products",
            "/users/me",
            "/oauth/token",
            "/internal/revocations",
            "/reservations",
            "/api/reservations",
            "/metrics",
            "/health/ready",
        ] {
            assert!(table.find(path).is_none(), "{path}");
        }
        assert_eq!(table.public_path("user-service", "/oauth/token"), None);
        assert_eq!(table.public_path("order-service", "/products"), None);
    }
}
