//! The services of the platform, from `services.toml` or the file that `SERVICES_FILE` names.

mod parse;
mod route;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

pub use self::parse::InvalidRegistry;
pub use self::route::{PublicRoute, TokenRule};
use super::env::{Env, variable_prefix};

/// The default of `PORT_BASE`, the first port of the platform.
pub(crate) const DEFAULT_PORT_BASE: u16 = 8080;
/// The distance from a program's port to its inner port.
const INNER_PORT_DISTANCE: u16 = 1_000;

/// The services of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    services: Vec<RegisteredService>,
}

/// One service of the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredService {
    /// The name of its crate and its program, and the audience of service tokens for it.
    pub name: String,
    port_offset: u16,
    /// Whether it stores data, and so needs a database.
    pub has_database: bool,
    /// Whether it also listens on an inner port, for metrics and health checks, because clients reach its first port.
    pub has_inner_port: bool,
    /// The services that it may call: the audiences for which it gets service tokens.
    pub calls: Vec<String>,
    /// The prefixes of paths that the gateway forwards to it.
    pub routes: Vec<PublicRoute>,
}

impl RegisteredService {
    /// The port that it listens on by default.
    #[must_use]
    pub fn port(&self, port_base: u16) -> u16 {
        port_base.saturating_add(self.port_offset)
    }

    /// Its origin on this machine, with its default port, when it listens on the address `bind`: `http://127.0.0.1:8081`, or
    /// `http://[::1]:8081`.
    #[must_use]
    pub fn local_url(&self, bind: IpAddr, port_base: u16) -> String {
        format!("http://{}", self.local_address(bind, port_base))
    }

    /// The address at which programs on this machine reach it, with its default port, when it listens on the address `bind`.
    #[must_use]
    pub fn local_address(&self, bind: IpAddr, port_base: u16) -> SocketAddr {
        SocketAddr::new(reachable_ip(bind), self.port(port_base))
    }

    /// The inner port that belongs to this port. `None` if the service has no inner port, or if there is no such port. The system
    /// chooses both ports if `port` is 0.
    #[must_use]
    pub fn inner_port(&self, port: u16) -> Option<u16> {
        match port {
            _ if !self.has_inner_port => None,
            0 => Some(0),
            port => port.checked_add(INNER_PORT_DISTANCE),
        }
    }

    /// The prefix of this service's variables: `ORDER_SERVICE`.
    #[must_use]
    pub fn variable_prefix(&self) -> String {
        variable_prefix(&self.name)
    }

    /// Whether it may call the service of this name.
    #[must_use]
    pub fn may_call(&self, audience: &str) -> bool {
        self.calls.iter().any(|called| called == audience)
    }
}

impl Registry {
    /// The registry that this program was built with.
    ///
    /// # Panics
    /// When `services.toml` is not a registry, which the tests of this crate rule out.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "a file of this repository, which a test parses"
    )]
    pub fn built_in() -> Self {
        parse::parse(include_str!("../../../../services.toml")).expect("services.toml is a registry")
    }

    /// The registry in the file that `SERVICES_FILE` names. Without the variable, the registry that this program was built with.
    pub fn read(env: &mut Env) -> Self {
        let Some(path) = env.text("SERVICES_FILE") else {
            return Self::built_in();
        };
        Self::load(Path::new(&path)).unwrap_or_else(|InvalidRegistry(problems)| {
            for problem in problems {
                env.problem("SERVICES_FILE", format!("is not usable: {problem}"));
            }
            Self::built_in()
        })
    }

    /// The registry in a file.
    ///
    /// # Errors
    /// All problems together.
    pub fn load(path: &Path) -> Result<Self, InvalidRegistry> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| InvalidRegistry(vec![format!("{}: {error}", path.display())]))?;
        parse::parse(&text)
    }

    /// The services, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &RegisteredService> {
        self.services.iter()
    }

    /// The services that call others. Each needs a client secret.
    pub fn callers(&self) -> impl Iterator<Item = &RegisteredService> {
        self.iter().filter(|service| !service.calls.is_empty())
    }

    /// The service of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&RegisteredService> {
        self.iter().find(|service| service.name == name)
    }
}

/// The address at which a program on this machine reaches a listener: loopback if it listens on all addresses.
pub(crate) fn reachable_ip(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_of_the_built_in_register_has_a_port() {
        let registry = Registry::built_in();
        let ports: std::collections::HashSet<_> = registry.iter().map(|service| service.port(8080)).collect();
        assert_eq!(ports.len(), registry.services.len());
        assert_eq!(
            registry.find("user-service").map(|service| service.port(8080)),
            Some(8081)
        );
        assert_eq!(
            registry
                .find("product-service")
                .map(RegisteredService::variable_prefix)
                .as_deref(),
            Some("PRODUCT_SERVICE")
        );
        assert!(registry.find("no-such-service").is_none());
    }

    #[test]
    fn a_service_may_call_only_the_services_in_its_row() {
        let registry = Registry::built_in();
        let orders = registry.find("order-service").unwrap();
        assert!(orders.may_call("inventory-service") && !orders.may_call("gateway"));
    }

    #[test]
    fn a_local_url_has_the_address_that_the_service_is_reachable_at() {
        let registry = Registry::built_in();
        let user_service = registry.find("user-service").unwrap();
        for (bind, url) in [
            ("127.0.0.1", "http://127.0.0.1:8081"),
            ("0.0.0.0", "http://127.0.0.1:8081"),
            ("192.0.2.7", "http://192.0.2.7:8081"),
            ("::", "http://[::1]:8081"),
            ("2001:db8::7", "http://[2001:db8::7]:8081"),
        ] {
            assert_eq!(user_service.local_url(bind.parse().unwrap(), 8080), url);
        }
    }

    fn problems(text: &str) -> Vec<String> {
        let InvalidRegistry(problems) = parse::parse(text).unwrap_err();
        problems
    }

    #[test]
    fn all_problems_of_a_registry_are_reported_together() {
        let problems = problems(
            r#"
            [[service]]
            name = "gateway"
            port_offset = 0
            calls = []
            [[service.route]]
            prefix = "/gateway"
            token = "ignored"

            [[service]]
            name = "Reviews"
            port_offset = 0
            calls = ["Reviews", "product-service"]
            [[service.route]]
            prefix = "/api//reviews"
            upstream_prefix = "/internal/reviews"
            token = "maybe"
            cookies = ["a b"]
            timeout = "1s"
            first_byte_timeout = "5s"
            body_limit = -1
            rate_limit = "many"
            [[service.route]]
            prefix = "/docs/reviews"
            upstream_prefix = "reviews"
            token = "required"
            timeout = "2h"
            [[service.route]]
            prefix = "/docs/reviews"
            upstream_prefix = "/"
            token = "required"
            "#,
        );
        let expected = [
            "there is no service `user-service`",
            "gateway can't have routes",
            "Reviews has the port_offset of another service",
            "Reviews calls itself, or Reviews twice",
            "Reviews calls product-service, which is not listed",
            "the route `/docs/reviews` is listed twice",
            "the name `Reviews` must consist of",
            "the route `/api//reviews`: prefix must consist of",
            "the route `/api//reviews`: upstream_prefix must not begin with `/internal`",
            "the route `/api//reviews`: token must be",
            "the route `/api//reviews`: `a b` in cookies is not",
            "the route `/api//reviews`: first_byte_timeout must not be longer",
            "the route `/api//reviews`: body_limit must be",
            "the route `/api//reviews`: rate_limit must be",
            "the route `/docs/reviews`: prefix must not begin with `/docs`",
            "the route `/docs/reviews`: upstream_prefix must begin with a slash",
            "the route `/docs/reviews`: timeout must be",
            "the route `/docs/reviews`: upstream_prefix must consist of",
        ];
        for expected in expected {
            let found = problems.iter().any(|problem| problem.starts_with(expected));
            assert!(found, "{expected} is not in {problems:#?}");
        }
        // The prefix below `/docs` is used by two routes.
        assert_eq!(problems.len(), expected.len() + 1, "{problems:#?}");
    }

    #[test]
    fn some_paths_are_never_public() {
        for reserved in [
            "/internal",
            "/oauth",
            "/reservations",
            "/metrics",
            "/health",
            "/docs",
            "/openapi.json",
        ] {
            for (prefix, upstream_prefix) in [(reserved, "/a"), ("/a", reserved)] {
                let problems = problems(&format!(
                    r#"
                    [[service]]
                    name = "user-service"
                    port_offset = 1
                    calls = []
                    [[service.route]]
                    prefix = "{prefix}"
                    upstream_prefix = "{upstream_prefix}"
                    token = "required"
                    "#
                ));
                let expected = format!("must not begin with `{reserved}`");
                let found = problems.iter().any(|problem| problem.contains(&expected));
                assert!(found, "{prefix}, {upstream_prefix}: {problems:?}");
            }
        }
    }

    #[test]
    fn only_user_service_receives_cookies_of_the_platform_and_never_the_access_token() {
        let parse = |service: &str, cookie: &str| {
            let row = |name: &str, offset: u16| {
                format!("[[service]]\nname = \"{name}\"\nport_offset = {offset}\ncalls = []\n")
            };
            let route = format!(
                "[[service.route]]\nprefix = \"/a\"\ntoken = \"optional\"\ncookies = [\"{cookie}\"]\n"
            );
            let (users, others) = (row("user-service", 1), row("order-service", 2));
            parse::parse(&if service == "user-service" {
                others + &users + &route
            } else {
                users + &others + &route
            })
        };
        for cookie in ["countersign_access", "__Host-countersign-access"] {
            for service in ["user-service", "order-service"] {
                let InvalidRegistry(problems) = parse(service, cookie).unwrap_err();
                let expected = format!("the route `/a`: `{cookie}` in cookies is the access cookie,");
                assert!(problems[0].starts_with(&expected), "{problems:?}");
            }
        }
        for cookie in [
            "countersign_refresh",
            "__Host-countersign-refresh",
            "countersign_login",
            "__Host-countersign-login",
        ] {
            assert!(parse("user-service", cookie).is_ok());
            let InvalidRegistry(problems) = parse("order-service", cookie).unwrap_err();
            let expected = format!("the route `/a`: `{cookie}` in cookies is a cookie of user-service,");
            assert!(problems[0].starts_with(&expected), "{problems:?}");
        }
        assert!(parse("order-service", "theme").is_ok());
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        for text in ["\n[[service]]\nname = 7\n", "\n\nname", "\n\nservices = 1"] {
            let problems = problems(text);
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert!(problems[0].starts_with("line 3: "), "{problems:?}");
        }
    }

    #[test]
    fn a_file_replaces_the_built_in_registry() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        let read = |path: &str| {
            let mut env = Env::from_vars("gateway", [("SERVICES_FILE", path)]);
            let registry = Registry::read(&mut env);
            env.finish(registry).map_err(|errors| errors.to_string())
        };
        let row = "[[service]]\nname = \"user-service\"\nport_offset = 7\ncalls = []\n";
        std::fs::write(&path, row).unwrap();
        let registry = read(&path).unwrap();
        assert_eq!(
            registry.find("user-service").map(|service| service.port(8080)),
            Some(8087)
        );
        assert!(registry.find("order-service").is_none());

        std::fs::write(&path, "").unwrap();
        assert_eq!(
            read(&path).unwrap_err(),
            "SERVICES_FILE is not usable: there is no service `user-service`"
        );
        let error = read("/no/such/file").unwrap_err();
        assert!(
            error.starts_with("SERVICES_FILE is not usable: /no/such/file: "),
            "{error}"
        );
    }

    #[test]
    fn a_service_has_a_database_unless_its_row_says_otherwise() {
        let registry = Registry::built_in();
        let without: Vec<_> = registry.iter().filter(|service| !service.has_database).collect();
        assert!(
            without.iter().any(|service| service.name == "gateway"),
            "{without:?}"
        );
        assert!(registry.find("user-service").unwrap().has_database);
    }

    #[test]
    fn an_inner_port_follows_the_port() {
        let row = |name: &str| {
            format!(
                "[[service]]\nname = \"{name}\"\nport_offset = {}\ncalls = []\n",
                name.len()
            )
        };
        let registry = parse::parse(&(row("user-service") + &row("gateway") + "inner_port = true")).unwrap();
        let gateway = registry.find("gateway").unwrap();
        assert_eq!(gateway.inner_port(8080), Some(9080));
        assert_eq!(gateway.inner_port(0), Some(0));
        assert_eq!(gateway.inner_port(65_000), None);
        assert_eq!(registry.find("user-service").unwrap().inner_port(8081), None);
    }
}
